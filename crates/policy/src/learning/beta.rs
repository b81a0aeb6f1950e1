//! Quantiles of the Beta distribution.

/// The continued fraction has settled to a part in 10^12 after far fewer terms, for the weights that occur.
const TERMS_MAX: usize = 10_000;
/// Halving the unit interval so often leaves less than a float can tell.
const HALVINGS: usize = 60;

/// The value below which a `Beta(a, b)` lies with chance `p`; `a` and `b` above 0, `p` in 0..1.
pub(super) fn quantile(p: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        if cumulative(middle, a, b) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The regularized incomplete beta function, by its continued fraction (Abramowitz and Stegun, 26.5.8), summed after
/// Lentz (Applied Optics 15, 1976).
fn cumulative(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - cumulative(1.0 - x, b, a);
    }
    let front = (a * x.ln() + b * (1.0 - x).ln() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b)).exp() / a;
    front / fraction(x, a, b)
}

/// `1 + d1 / (1 + d2 / (1 + ...))`.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let mut value = 1.0;
    let (mut c, mut d) = (1.0, 0.0);
    for term in 1..TERMS_MAX {
        let m = (term / 2) as f64;
        let coefficient = if term % 2 == 0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        let away = |number: f64| if number.abs() < TINY { TINY } else { number };
        d = 1.0 / away(1.0 + coefficient * d);
        c = away(1.0 + coefficient / c);
        value *= c * d;
        if (c * d - 1.0).abs() < 1e-14 {
            break;
        }
    }
    value
}

/// The logarithm of the gamma function of a positive number, by Stirling's series (Abramowitz and Stegun, 6.1.41) after
/// the recurrence has carried it to where the series is exact to a float.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut carried) = (x, 0.0);
    while x < 15.0 {
        carried += x.ln();
        x += 1.0;
    }
    let square = x * x;
    let series =
        (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * square)) / square) / square) / x;
    (x - 0.5) * x.ln() - x + std::f64::consts::TAU.ln() / 2.0 + series - carried
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn quantiles_that_can_be_written_down_are_met() {
        // Beta(n, 1) has x^n below x, Beta(1, n) has 1 - (1 - x)^n, Beta(2, 2) has 3 x^2 - 2 x^3.
        assert!(near(quantile(0.05, 4.0, 1.0), 0.05f64.powf(0.25)));
        assert!(near(quantile(0.3, 1.0, 7.0), 1.0 - 0.7f64.powf(1.0 / 7.0)));
        assert!(near(quantile(0.5, 2.0, 2.0), 0.5));
        assert!(near(cumulative(0.3, 2.0, 2.0), 3.0 * 0.09 - 2.0 * 0.027));
        assert!(near(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln()));
        assert!(near(ln_gamma(11.0), 3_628_800f64.ln()));
    }

    #[test]
    fn a_beta_of_whole_numbers_is_a_binomial_tail() {
        // P(Beta(a, b) <= x) is the chance of at least a heads in a + b - 1 throws.
        let (a, b, x) = (981u32, 21u32, 0.97f64);
        let throws = a + b - 1;
        let tail: f64 = (a..=throws)
            .map(|heads| {
                let (n, k) = (f64::from(throws), f64::from(heads));
                let choose = ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0);
                (choose + k * x.ln() + (n - k) * (1.0 - x).ln()).exp()
            })
            .sum();
        assert!(near(cumulative(x, f64::from(a), f64::from(b)), tail), "{tail}");
    }

    proptest! {
        #[test]
        fn quantile_and_cumulative_undo_each_other(p in 0.01..0.99f64, a in 1.0..3000f64, b in 1.0..3000f64) {
            prop_assert!((cumulative(quantile(p, a, b), a, b) - p).abs() < 1e-7);
        }
    }
}
