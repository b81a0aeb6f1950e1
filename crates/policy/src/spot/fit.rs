//! Where the shipped prior comes from: the most likely one, given spells of many zones.

use super::belief::SpellPrior;

/// Seconds, events and means that are tried. The likelihood is flat near its top, so finer steps would fit noise. More
/// events than these would be a prior that a run of two days cannot overrule.
const SCALES_S: [f64; 9] = [300.0, 600.0, 900.0, 1200.0, 1800.0, 2700.0, 3600.0, 5400.0, 7200.0];
const EVENTS: [f64; 7] = [1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0];
const MEANS: [f64; 12] = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.7, 2.0];

/// The spells of one zone, in seconds, whose start and end were both seen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spells {
    /// With spot.
    pub up_s: Vec<f64>,
    /// Without.
    pub down_s: Vec<f64>,
}

impl Spells {
    /// Those of a record of one zone: the first and the last are cut off and left out.
    pub fn of(record: &[bool], tick_s: f64) -> Self {
        let mut spells = Self::default();
        let runs: Vec<&[bool]> = record.chunk_by(|one, next| one == next).collect();
        for run in runs.iter().skip(1).take(runs.len().saturating_sub(2)) {
            let lasted_s = run.len() as f64 * tick_s;
            if run.contains(&true) {
                spells.up_s.push(lasted_s);
            } else {
                spells.down_s.push(lasted_s);
            }
        }
        spells
    }
}

/// The prior under which the spells of these zones are most likely, each zone having an exponent of its own drawn from
/// the prior's Gamma (empirical Bayes; the exponent is integrated out). Without any spell, the first that is tried.
pub fn fit(zones: &[&[f64]]) -> SpellPrior {
    let mut best: Option<(f64, SpellPrior)> = None;
    for scale_s in SCALES_S {
        let seen: Vec<(f64, f64)> = zones.iter().map(|spells| seen(spells, scale_s)).collect();
        let shared: f64 = zones.iter().flat_map(|spells| spells.iter()).map(|s| (scale_s + s).ln()).sum();
        for events in EVENTS {
            for mean in MEANS {
                let exposure = events / mean;
                let log = |(ends, exposed): &(f64, f64)| {
                    events * exposure.ln() - ln_gamma(events) + ln_gamma(events + ends)
                        - (events + ends) * (exposure + exposed).ln()
                };
                let likely = seen.iter().map(log).sum::<f64>() - shared;
                if best.is_none_or(|(most, _)| likely > most) {
                    best = Some((likely, SpellPrior { scale_s, events, exposure }));
                }
            }
        }
    }
    best.map_or(SpellPrior { scale_s: 300.0, events: 1.0, exposure: 1.0 }, |(_, prior)| prior)
}

/// Ends and exposure of whole spells.
fn seen(spells: &[f64], scale_s: f64) -> (f64, f64) {
    (spells.len() as f64, spells.iter().map(|s| (1.0 + s / scale_s).ln()).sum())
}

/// Logarithm of the gamma function above zero: Stirling's series, after a shift to where three terms give 1e-10.
fn ln_gamma(x: f64) -> f64 {
    let mut shifted = x;
    let mut less = 0.0;
    while shifted < 12.0 {
        less += shifted.ln();
        shifted += 1.0;
    }
    let series = 1.0 / (12.0 * shifted) - 1.0 / (360.0 * shifted.powi(3)) + 1.0 / (1260.0 * shifted.powi(5));
    (shifted - 0.5) * shifted.ln() - shifted + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - less
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ln_gamma_of_whole_numbers_is_that_of_factorials() {
        for (x, factorial) in [(1.0, 1.0_f64), (2.0, 1.0), (5.0, 24.0), (13.0, 479_001_600.0)] {
            assert!((ln_gamma(x) - factorial.ln()).abs() < 1e-9, "{x}");
        }
    }

    #[test]
    fn spells_cut_off_are_left_out() {
        let record = [true, true, false, true, true, true, false, false];
        assert_eq!(Spells::of(&record, 10.0), Spells { up_s: vec![30.0], down_s: vec![10.0] });
        assert_eq!(Spells::of(&[true; 4], 10.0), Spells::default());
    }

    #[test]
    fn fit_finds_the_scale_of_spells_drawn_by_quantiles() {
        let drawn = |exponent: f64| -> Vec<f64> {
            (0..400)
                .map(|n| 1800.0 * ((1.0 - (f64::from(n) + 0.5) / 400.0).powf(-1.0 / exponent) - 1.0))
                .collect()
        };
        let zones = [drawn(0.8), drawn(1.0), drawn(1.2)];
        let zones: Vec<&[f64]> = zones.iter().map(Vec::as_slice).collect();
        let prior = fit(&zones);
        assert_eq!(prior.scale_s, 1800.0);
        assert!((prior.events / prior.exposure - 1.0).abs() < 1e-9);
    }
}
