//! The state between two segments, and the trained model, as bytes. README.md has both layouts.

use crate::data::{CLASSES, PIXELS};
use crate::error::StateError;
use crate::fixed::WEIGHT_MAX;
use crate::network::{BATCH, MOMENTUM, Network};
use crate::random::SplitMix64;

const STATE_MAGIC: &[u8; 8] = b"waagdgst";
const MODEL_MAGIC: &[u8; 8] = b"waagdgmd";
const VERSION: u32 = 1;

/// Everything that decides the bytes of a run besides the code and the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) hidden: u32,
    pub(crate) epochs: u32,
    pub(crate) segments: u32,
    pub(crate) learning_rate: i32,
}

impl Settings {
    /// The settings in the order in which a state holds them.
    fn fields(self) -> [(&'static str, u32); 8] {
        [
            ("inputs", PIXELS as u32),
            ("hidden", self.hidden),
            ("classes", CLASSES as u32),
            ("epochs", self.epochs),
            ("segments", self.segments),
            ("batch", BATCH as u32),
            ("learning rate (1/65536)", self.learning_rate as u32),
            ("momentum (1/65536)", MOMENTUM as u32),
        ]
    }
}

/// The whole of a run between two steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// Steps done.
    pub(crate) step: u64,
    /// The generator as it is before it shuffles the epoch that the next step belongs to.
    pub(crate) rng: SplitMix64,
    pub(crate) network: Network,
}

impl State {
    pub(crate) fn encode(&self, settings: Settings) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(state_len(settings));
        bytes.extend(STATE_MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        for (_, value) in settings.fields() {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(self.step.to_le_bytes());
        bytes.extend(self.rng.0.to_le_bytes());
        for layer in self.network.layers() {
            extend(&mut bytes, &layer.weights);
            extend(&mut bytes, &layer.velocity);
        }
        bytes
    }

    /// Reads a state back, if it is one of a run with these settings that has done `step` steps.
    pub(crate) fn decode(bytes: &[u8], settings: Settings, step: u64) -> Result<Self, StateError> {
        let length = StateError::Length { found: bytes.len(), expected: state_len(settings) };
        let mut rest = bytes;
        if take(&mut rest) != Some(*STATE_MAGIC) {
            return Err(StateError::Foreign);
        }
        let mut word = || take(&mut rest).map(u32::from_le_bytes).ok_or(length.clone());
        let found = word()?;
        if found != VERSION {
            return Err(StateError::Version { found, expected: VERSION });
        }
        for (name, expected) in settings.fields() {
            let found = word()?;
            if found != expected {
                return Err(StateError::Setting { name, found, expected });
            }
        }
        if bytes.len() != state_len(settings) {
            return Err(length);
        }
        let mut long = || take(&mut rest).map(u64::from_le_bytes).ok_or(length.clone());
        let found = long()?;
        if found != step {
            return Err(StateError::Step { found, expected: step });
        }
        let rng = SplitMix64(long()?);
        let mut network = Network::zero(settings.hidden as usize);
        let first = bytes.len() - rest.len();
        let slots =
            network.layers_mut().into_iter().flat_map(|l| l.weights.iter_mut().chain(&mut l.velocity));
        for (index, (slot, word)) in slots.zip(rest.as_chunks().0).enumerate() {
            let value = i32::from_le_bytes(*word);
            if !(-WEIGHT_MAX..=WEIGHT_MAX).contains(&value) {
                return Err(StateError::Weight { value, offset: first + 4 * index });
            }
            *slot = value;
        }
        Ok(Self { step, rng, network })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

/// Bytes of a state: magic, version, settings, step, generator, then weights and velocities.
pub(crate) fn state_len(settings: Settings) -> usize {
    let hidden = settings.hidden as usize;
    let weights = (PIXELS + 1) * hidden + (hidden + 1) * CLASSES;
    8 + 4 + 4 * settings.fields().len() + 8 + 8 + 2 * 4 * weights
}

/// The trained weights for whoever wants to use them.
pub(crate) fn encode_model(network: &Network) -> Vec<u8> {
    let mut bytes = Vec::from(MODEL_MAGIC);
    for value in [VERSION, PIXELS as u32, network.hidden.outputs as u32, CLASSES as u32] {
        bytes.extend(value.to_le_bytes());
    }
    for layer in network.layers() {
        extend(&mut bytes, &layer.weights);
    }
    bytes
}

fn extend(bytes: &mut Vec<u8>, values: &[i32]) {
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}
