//! A perceptron with one hidden layer, trained by mini-batch gradient descent with momentum on the cross-entropy.
//!
//! With inputs `x`, weights `W`, and the bias as one more row of `W` whose input is always 1:
//!
//! ```text
//! h = relu(W1 x)                p = softmax(W2 h)             loss = -ln p[label]
//! d2 = p - onehot(label)        d1 = (W2^T d2) where h > 0    gradient of W = mean over the batch of x d^T
//! v <- momentum * v - rate * gradient                         W <- W + v
//! ```
//!
//! Why no sum overflows: weights are at most 2^27 (8 in Q24), pixels 2^16. So a hidden activation is at most
//! 65 * 8 < 2^10, or 2^26 in Q16; a logit sum at most 2^27 * (512 * 2^26 + 2^16), just above 2^62; a hidden delta at
//! most 10 * 8 < 2^7, or 2^23; and a gradient sum over a batch of 32 at most 2^5 * 2^(26 + 16) = 2^47.

use crate::data::{CLASSES, Image, PIXELS};
use crate::fixed::{ONE, WEIGHT_BITS, round_shift, saturate, softmax};
use crate::random::SplitMix64;

/// Images per step.
pub(crate) const BATCH: usize = 32;
/// 0.9 in Q16.
pub(crate) const MOMENTUM: i32 = 58_982;
/// Wider hidden layers could overflow a logit.
pub(crate) const HIDDEN_MAX: u32 = 512;

/// Weights and velocities (Q24), `inputs + 1` rows of `outputs`; the last row is the bias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) outputs: usize,
    pub(crate) weights: Vec<i32>,
    pub(crate) velocity: Vec<i32>,
}

impl Layer {
    pub(crate) fn zero(inputs: usize, outputs: usize) -> Self {
        let size = (inputs + 1) * outputs;
        Self { outputs, weights: vec![0; size], velocity: vec![0; size] }
    }

    /// Uniform weights within ±sqrt(6 / inputs) (He and others, "Delving Deep into Rectifiers", 2015), bias zero.
    fn random(inputs: usize, outputs: usize, rng: &mut SplitMix64) -> Self {
        let mut layer = Self::zero(inputs, outputs);
        let limit = ((6_u64 << (2 * WEIGHT_BITS)) / inputs as u64).isqrt();
        for weight in &mut layer.weights[..inputs * outputs] {
            *weight = saturate(rng.below(2 * limit + 1) as i64 - limit as i64);
        }
        layer
    }

    /// `W x` in Q40 from `x` in Q16.
    fn forward(&self, x: &[i32], sums: &mut [i64]) {
        sums.fill(0);
        for (&x, row) in x.iter().chain([&ONE]).zip(self.weights.chunks_exact(self.outputs)) {
            if x != 0 {
                add_scaled(sums, x, row);
            }
        }
    }

    /// `W^T delta` in Q16 from `delta` in Q16, without the bias row.
    fn backward(&self, delta: &[i32], into: &mut [i32]) {
        for (into, row) in into.iter_mut().zip(self.weights.chunks_exact(self.outputs)) {
            let sum = row.iter().zip(delta).map(|(&w, &d)| i64::from(w) * i64::from(d)).sum();
            *into = round_shift(sum, WEIGHT_BITS) as i32;
        }
    }

    /// One step against the mean gradient of a batch: `xs` and `deltas` (Q16) hold one row per image.
    fn descend(&mut self, xs: &[i32], deltas: &[i32], rate: i32) {
        let outputs = self.outputs;
        let images = deltas.len() / outputs;
        let inputs = xs.len() / images;
        let mut gradient = vec![0_i64; outputs];
        let rows = self.weights.chunks_exact_mut(outputs).zip(self.velocity.chunks_exact_mut(outputs));
        for (row, (weights, velocity)) in rows.enumerate() {
            gradient.fill(0);
            for (x, delta) in xs.chunks_exact(inputs).zip(deltas.chunks_exact(outputs)) {
                let x = x.get(row).copied().unwrap_or(ONE);
                if x != 0 {
                    add_scaled(&mut gradient, x, delta);
                }
            }
            for ((w, v), sum) in weights.iter_mut().zip(velocity).zip(&gradient) {
                let kept = round_shift(i64::from(*v) * i64::from(MOMENTUM), 16);
                // Q32 times Q16 is Q48; 24 bits less is the format of a weight.
                let push = round_shift(sum / images as i64 * i64::from(rate), 48 - WEIGHT_BITS);
                *v = saturate(kept - push);
                *w = saturate(i64::from(*w) + i64::from(*v));
            }
        }
    }
}

/// `sums += x * row`, the innermost loop of the training.
fn add_scaled(sums: &mut [i64], x: i32, row: &[i32]) {
    for (sum, &r) in sums.iter_mut().zip(row) {
        *sum += i64::from(x) * i64::from(r);
    }
}

/// The classifier: 64 pixels, a hidden layer, 10 digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) hidden: Layer,
    pub(crate) output: Layer,
}

/// What a number of images came to: their summed loss (Q16) and how many were recognised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Score {
    pub(crate) images: u64,
    pub(crate) loss: i64,
    pub(crate) correct: u64,
}

impl Score {
    pub(crate) fn add(&mut self, other: Self) {
        self.images += other.images;
        self.loss += other.loss;
        self.correct += other.correct;
    }
}

impl Network {
    pub(crate) fn zero(hidden: usize) -> Self {
        Self { hidden: Layer::zero(PIXELS, hidden), output: Layer::zero(hidden, CLASSES) }
    }

    pub(crate) fn random(hidden: usize, rng: &mut SplitMix64) -> Self {
        Self { hidden: Layer::random(PIXELS, hidden, rng), output: Layer::random(hidden, CLASSES, rng) }
    }

    pub(crate) fn layers(&self) -> [&Layer; 2] {
        [&self.hidden, &self.output]
    }

    pub(crate) fn layers_mut(&mut self) -> [&mut Layer; 2] {
        [&mut self.hidden, &mut self.output]
    }

    /// Takes one step on a batch and returns how the batch scored before it.
    pub(crate) fn train(&mut self, batch: &[Image], rate: i32) -> Score {
        let pass = self.pass(batch);
        let mut hidden_deltas = vec![0; pass.hidden.len()];
        let width = self.hidden.outputs;
        for (image, delta) in pass.deltas.chunks_exact(CLASSES).enumerate() {
            let range = image * width..(image + 1) * width;
            let into = &mut hidden_deltas[range.clone()];
            self.output.backward(delta, into);
            for (delta, &activation) in into.iter_mut().zip(&pass.hidden[range]) {
                if activation == 0 {
                    *delta = 0;
                }
            }
        }
        self.output.descend(&pass.hidden, &pass.deltas, rate);
        self.hidden.descend(&pass.pixels, &hidden_deltas, rate);
        pass.score
    }

    /// How the images score, without learning from them.
    pub(crate) fn score(&self, images: &[Image]) -> Score {
        self.pass(images).score
    }

    fn pass(&self, images: &[Image]) -> Pass {
        let mut pass = Pass::default();
        let mut hidden_sums = vec![0; self.hidden.outputs];
        let mut logit_sums = [0; CLASSES];
        let mut delta = [0; CLASSES];
        for image in images {
            let pixels = pass.pixels.len();
            pass.pixels.extend(image.pixels.iter().map(|&pixel| i32::from(pixel) * (ONE / 16)));
            self.hidden.forward(&pass.pixels[pixels..], &mut hidden_sums);

            let hidden = pass.hidden.len();
            pass.hidden.extend(hidden_sums.iter().map(|&sum| round_shift(sum, WEIGHT_BITS).max(0) as i32));
            self.output.forward(&pass.hidden[hidden..], &mut logit_sums);

            let logits = logit_sums.map(|sum| round_shift(sum, WEIGHT_BITS));
            let loss = softmax(&logits, image.label, &mut delta);
            let best = (0..CLASSES).rev().max_by_key(|&class| logits[class]);
            delta[image.label] -= ONE;
            pass.deltas.extend(delta);
            pass.score.add(Score { images: 1, loss, correct: u64::from(best == Some(image.label)) });
        }
        pass
    }
}

/// What a forward pass leaves behind for the backward one, one row per image (Q16).
#[derive(Default)]
struct Pass {
    pixels: Vec<i32>,
    hidden: Vec<i32>,
    deltas: Vec<i32>,
    score: Score,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data;
    use crate::fixed::WEIGHT_MAX;

    /// The mean gradient over a batch in floating point, by the formulas at the top of this file.
    fn float_gradient(network: &Network, batch: &[Image]) -> [Vec<f64>; 2] {
        let weights =
            network.layers().map(|l| l.weights.iter().map(|&w| f64::from(w) / 2f64.powi(24)).collect());
        let [w1, w2]: [Vec<f64>; 2] = weights;
        let width = network.hidden.outputs;
        let (mut g1, mut g2) = (vec![0.0; w1.len()], vec![0.0; w2.len()]);
        for image in batch {
            let x: Vec<f64> = image.pixels.iter().map(|&p| f64::from(p) / 16.0).chain([1.0]).collect();
            let hidden =
                (0..width).map(|o| (0..x.len()).map(|i| x[i] * w1[i * width + o]).sum::<f64>().max(0.0));
            let h: Vec<f64> = hidden.chain([1.0]).collect();
            let powers: Vec<f64> = (0..CLASSES)
                .map(|o| (0..h.len()).map(|i| h[i] * w2[i * CLASSES + o]).sum::<f64>().exp())
                .collect();
            let sum: f64 = powers.iter().sum();
            let d2: Vec<f64> = (0..CLASSES).map(|o| powers[o] / sum - f64::from(o == image.label)).collect();
            for i in 0..h.len() {
                for o in 0..CLASSES {
                    g2[i * CLASSES + o] += h[i] * d2[o] / batch.len() as f64;
                }
            }
            for o in (0..width).filter(|&o| h[o] > 0.0) {
                let d1: f64 = (0..CLASSES).map(|k| w2[o * CLASSES + k] * d2[k]).sum();
                for i in 0..x.len() {
                    g1[i * width + o] += x[i] * d1 / batch.len() as f64;
                }
            }
        }
        [g1, g2]
    }

    #[test]
    fn a_step_follows_the_gradient() {
        let batch = &data::train()[..BATCH];
        let before = Network::random(24, &mut SplitMix64(5));
        let mut after = before.clone();
        // At rate 1 and without velocity the change of a weight is its gradient.
        after.train(batch, ONE);
        let gradients = float_gradient(&before, batch);
        for ((before, after), gradient) in before.layers().into_iter().zip(after.layers()).zip(gradients) {
            assert!(gradient.iter().any(|g| g.abs() > 0.01));
            for ((old, new), g) in before.weights.iter().zip(&after.weights).zip(gradient) {
                let change = f64::from(new - old) / 2f64.powi(24);
                assert!((change + g).abs() < 1e-4, "changed by {change}, gradient {g}");
            }
        }
    }

    #[test]
    fn a_step_lowers_the_loss_of_its_batch_and_a_step_back_raises_it() {
        let batch = &data::train()[..BATCH];
        let before = Network::random(24, &mut SplitMix64(5));
        let loss_after = |rate| {
            let mut network = before.clone();
            network.train(batch, rate);
            network.score(batch).loss
        };
        let loss = before.score(batch).loss;
        assert!(loss_after(655) < loss);
        assert!(loss_after(-655) > loss);
    }

    #[test]
    fn the_largest_weights_overflow_nothing() {
        let black = Image { pixels: [16; PIXELS], label: 0 };
        let mut network = Network::zero(HIDDEN_MAX as usize);
        network.hidden.weights.fill(WEIGHT_MAX);
        network.output.weights.fill(WEIGHT_MAX);
        network.output.weights.iter_mut().step_by(CLASSES).for_each(|weight| *weight = -WEIGHT_MAX);

        // Every activation is 8 * 65, every logit 8 * (512 * 520 + 1), that of the right class with a minus; nine
        // equal wrong classes add ln 9.
        let score = network.train(&[black; BATCH], ONE);
        assert_eq!(score.loss >> 16, BATCH as i64 * 2 * 8 * (512 * 520 + 1) + 70);
        let velocities = network.layers().into_iter().flat_map(|layer| &layer.velocity);
        assert_eq!(velocities.map(|velocity| velocity.abs()).max(), Some(WEIGHT_MAX));
    }
}
