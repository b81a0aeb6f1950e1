//! Fixed-point arithmetic: integers only, so that every machine and every optimisation level gives the same bits.
//!
//! `Qn` is an integer that stands for itself divided by 2^n.
//!
//! | quantity | format | type | bound |
//! |---|---|---|---|
//! | pixel, activation, delta, probability, learning rate, momentum | Q16 | `i32` | see `network.rs` |
//! | weight, velocity | Q24 | `i32` | ±8 ([`WEIGHT_MAX`]) |
//! | weight x activation | Q40 | `i64` | below 2^62 |
//! | activation x delta | Q32 | `i64` | below 2^53 |
//! | logit, loss | Q16 | `i64` | below 2^39 |
//! | exponential | Q30 | `u32` | at most 1 |

/// 1.0 in Q16.
pub(crate) const ONE: i32 = 1 << 16;
/// Fraction bits of weights and velocities.
pub(crate) const WEIGHT_BITS: u32 = 24;
/// Weights and velocities saturate here (8.0 in Q24), which keeps every sum inside an `i64`.
pub(crate) const WEIGHT_MAX: i32 = 8 << WEIGHT_BITS;

/// Divides by `2^bits` and rounds to nearest, halves upwards.
pub(crate) const fn round_shift(value: i64, bits: u32) -> i64 {
    (value + (1 << (bits - 1))) >> bits
}

/// A weight or velocity (Q24) held inside its bound.
pub(crate) fn saturate(value: i64) -> i32 {
    value.clamp(-i64::from(WEIGHT_MAX), i64::from(WEIGHT_MAX)) as i32
}

/// Table points per unit of the exponent, as bits: 64 points.
const EXP_STEP_BITS: u32 = 6;
/// Beyond e^-16 a Q16 probability is zero anyway.
const EXP_RANGE: usize = 16;
const EXP_POINTS: usize = (EXP_RANGE << EXP_STEP_BITS) + 1;
static EXP: [u32; EXP_POINTS] = exp_table();

/// `e^(-k/64)` in Q30, each the product of the one before (kept in Q60) with `e^(-1/64)`, which is the sum of the
/// Taylor series of the exponential.
const fn exp_table() -> [u32; EXP_POINTS] {
    let one: i128 = 1 << 60;
    let mut ratio = 0;
    let mut term = one;
    let mut n = 1;
    while term != 0 {
        ratio += term;
        term = -term / (n << EXP_STEP_BITS);
        n += 1;
    }
    let mut table = [0; EXP_POINTS];
    let mut value = one;
    let mut k = 0;
    while k < EXP_POINTS {
        table[k] = ((value + (1 << 29)) >> 30) as u32;
        value = (value * ratio) >> 60;
        k += 1;
    }
    table
}

/// `e^-x` in Q30 for `x >= 0` in Q16, by linear interpolation (relative error below 4e-5); zero from 16 on.
fn exp_neg(x: i64) -> u64 {
    const BITS: u32 = 16 - EXP_STEP_BITS;
    let index = (x >> BITS) as usize;
    if index + 1 >= EXP_POINTS {
        return 0;
    }
    let (high, low) = (u64::from(EXP[index]), u64::from(EXP[index + 1]));
    let fraction = (x & ((1 << BITS) - 1)) as u64;
    high - (((high - low) * fraction) >> BITS)
}

/// ln(2) in Q32.
const LN_2: u64 = 2_977_044_472;

/// Natural logarithm in Q16 of `x >= 1` in Q30, at most 2^33 - 1. Binary digits of log2 by repeated squaring: each
/// square that reaches 2 gives a one.
fn ln(x: u64) -> i64 {
    let whole = x.ilog2() - 30;
    let mut mantissa = x >> whole;
    let mut log2 = u64::from(whole);
    for _ in 0..16 {
        mantissa = (mantissa * mantissa) >> 30;
        let digit = mantissa >> 31;
        mantissa >>= digit;
        log2 = (log2 << 1) | digit;
    }
    ((log2 * LN_2) >> 32) as i64
}

/// Turns logits (Q16) into probabilities (Q16) and returns the cross-entropy against `label` (Q16):
/// `p_k = e^(z_k - m) / s` and `loss = ln s + m - z_label`, with `m = max z` and `s = sum of e^(z_k - m)`.
pub(crate) fn softmax<const N: usize>(logits: &[i64; N], label: usize, probabilities: &mut [i32; N]) -> i64 {
    let max = logits.iter().copied().max().unwrap_or(0);
    let powers = logits.map(|z| exp_neg(max - z));
    let sum: u64 = powers.iter().sum();
    for (p, power) in probabilities.iter_mut().zip(powers) {
        *p = (((power << 16) + sum / 2) / sum) as i32;
    }
    ln(sum) + max - logits[label]
}

/// `numerator / denominator` as text with four decimals, rounded down.
pub(crate) fn decimal(numerator: u64, denominator: u64) -> String {
    let scaled = u128::from(numerator) * 10_000 / u128::from(denominator.max(1));
    format!("{}.{:04}", scaled / 10_000, scaled % 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(fixed: f64, float: f64, error: f64) {
        assert!((fixed - float).abs() <= error, "{fixed} is not {float}");
    }

    #[test]
    fn exponential_and_logarithm_are_near_the_real_ones() {
        for x in (0..17 << 16).step_by(101) {
            close(exp_neg(x) as f64 / 2f64.powi(30), (-(x as f64) / 65536.0).exp(), 4e-5);
        }
        for x in (1u64 << 30..10 << 30).step_by(10_000_019) {
            close(ln(x) as f64 / 65536.0, (x as f64 / 2f64.powi(30)).ln(), 3e-5);
        }
    }

    #[test]
    fn softmax_is_near_the_real_one() {
        let logits: [f64; 10] = [-3.0, 0.0, 1.5, 1.25, -40.0, 9.0, 8.5, 2.0, 0.1, 7.0];
        let mut probabilities = [0; 10];
        let loss = softmax(&logits.map(|z| (z * 65536.0) as i64), 6, &mut probabilities);
        let sum: f64 = logits.iter().map(|z| z.exp()).sum();
        for (p, z) in probabilities.iter().zip(logits) {
            close(f64::from(*p) / 65536.0, z.exp() / sum, 5e-5);
        }
        close(loss as f64 / 65536.0, sum.ln() - 8.5, 1e-4);
    }

    #[test]
    fn decimals_are_made_from_integers() {
        assert_eq!(decimal(351, 359), "0.9777");
        assert_eq!(decimal(359, 359), "1.0000");
        assert_eq!(decimal(0, 0), "0.0000");
    }
}
