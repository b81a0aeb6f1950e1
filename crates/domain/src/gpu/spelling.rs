//! How a catalogue's text is taken apart: vendor, memory, board, and the rest, which must be the name of a model.

use super::models::MODELS;
use super::{Gpu, GpuBoard, GpuModel, GpuVendor, nominal};

/// Longer texts name no accelerator.
const BYTES_MAX: usize = 80;

/// Words that tell the vendor and nothing else.
const VENDORS: [(&str, GpuVendor); 16] = [
    ("tenstorrent", GpuVendor::Tenstorrent),
    ("nvidia", GpuVendor::Nvidia),
    ("geforce", GpuVendor::Nvidia),
    ("tesla", GpuVendor::Nvidia),
    ("quadro", GpuVendor::Nvidia),
    ("amd", GpuVendor::Amd),
    ("instinct", GpuVendor::Amd),
    ("radeon", GpuVendor::Amd),
    ("ati", GpuVendor::Amd),
    ("intel", GpuVendor::Intel),
    ("habana", GpuVendor::Intel),
    ("aws", GpuVendor::Aws),
    ("amazon", GpuVendor::Aws),
    ("google", GpuVendor::Google),
    ("qualcomm", GpuVendor::Qualcomm),
    ("nv", GpuVendor::Nvidia),
];

/// Words that tell nothing that the model does not: kinds of memory, decoration. `NVLink` names a bridge that any
/// card may have, not a board.
const SILENT: [&str; 26] = [
    "corporation",
    "corp",
    "inc",
    "labs",
    "gpu",
    "gpus",
    "graphics",
    "card",
    "accelerator",
    "tensor",
    "core",
    "data",
    "center",
    "datacenter",
    "generation",
    "gen",
    "edition",
    "hbm",
    "hbm2",
    "hbm2e",
    "hbm3",
    "hbm3e",
    "gddr6",
    "gddr6x",
    "nvlink",
    "fhhl",
];

/// Architectures. They tell nothing beside a name that one architecture has, and contradict the Quadro RTX, whose bare names are
/// those of later cards too.
const ARCHITECTURES: [&str; 9] =
    ["blackwell", "hopper", "ampere", "turing", "volta", "pascal", "maxwell", "kepler", "lovelace"];
const QUADRO_RTX: [&str; 5] = ["RTX-3000", "RTX-4000", "RTX-5000", "RTX-6000", "RTX-8000"];

const BOARDS: [(&str, GpuBoard); 23] = [
    ("pcie", GpuBoard::Pcie),
    ("pciexpress", GpuBoard::Pcie),
    ("pci", GpuBoard::Pcie),
    ("pcie4", GpuBoard::Pcie),
    ("pcie5", GpuBoard::Pcie),
    ("sxm", GpuBoard::Sxm),
    ("sxm2", GpuBoard::Sxm),
    ("sxm3", GpuBoard::Sxm),
    ("sxm4", GpuBoard::Sxm),
    ("sxm5", GpuBoard::Sxm),
    ("sxm6", GpuBoard::Sxm),
    ("hgx", GpuBoard::Sxm),
    ("dgx", GpuBoard::Sxm),
    ("nvl", GpuBoard::Nvl),
    ("oam", GpuBoard::Oam),
    ("server", GpuBoard::Server),
    ("se", GpuBoard::Server),
    ("workstation", GpuBoard::Workstation),
    ("ws", GpuBoard::Workstation),
    ("we", GpuBoard::Workstation),
    ("wk", GpuBoard::Workstation),
    ("maxq", GpuBoard::MaxQ),
    ("mq", GpuBoard::MaxQ),
];

/// Names in which an edition is a letter of the model's name.
const EDITIONS: [(&str, &str, GpuBoard); 2] =
    [("rtxpro6000s", "rtxpro6000", GpuBoard::Server), ("rtx6000pros", "rtxpro6000", GpuBoard::Server)];

/// What was found beside the model's name.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    vendor: Option<GpuVendor>,
    memory_gib: Option<f64>,
    board: Option<GpuBoard>,
    /// Whether an architecture was named that the Quadro RTX do not have.
    not_turing: bool,
}

pub(super) fn read(text: &str) -> Option<Gpu> {
    if text.len() > BYTES_MAX || !text.is_ascii() {
        return None;
    }
    let lower = text.to_ascii_lowercase().replace("max-q", "maxq");
    let mut words: Vec<&str> = lower
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '.')
        .filter(|word| !word.is_empty())
        .collect();
    // A number and its unit may stand apart.
    let unit = |word: &str| matches!(word, "gb" | "gib");
    let mut found = Found::default();
    if let Some(at) = words.iter().position(|word| unit(word))
        && at > 0
        && let Ok(gib) = words[at - 1].parse()
    {
        found.remember_memory(gib)?;
        words.drain(at - 1..=at);
    }
    let mut name = String::new();
    for word in words {
        if !found.take(word)? {
            name.push_str(word);
        }
    }
    let (model, found) = whole(&name, found).or_else(|| glued(&name, found))?;
    found.gpu(model)
}

/// The rest is a model's name, perhaps with a vendor's stuck to its front.
fn whole(name: &str, mut found: Found) -> Option<(GpuModel, Found)> {
    if let Some((_, model, board)) = EDITIONS.iter().find(|(edition, ..)| *edition == name) {
        found.remember_board(*board)?;
        return model_named(model).map(|model| (model, found));
    }
    if let Some(model) = model_named(name) {
        return Some((model, found));
    }
    VENDORS.iter().find_map(|(word, vendor)| {
        let mut found = found;
        let rest = name.strip_prefix(word)?;
        found.remember_vendor(*vendor)?;
        model_named(rest).map(|model| (model, found)).or_else(|| glued(rest, found))
    })
}

/// A model's name with boards and sizes stuck to its end: `h100sxm5`, `a10080gb`. The longest name that explains the whole text
/// is meant.
fn glued(name: &str, found: Found) -> Option<(GpuModel, Found)> {
    let mut best: Option<(usize, GpuModel, Found)> = None;
    for (n, row) in MODELS.iter().enumerate() {
        for spelling in row.spellings {
            let Some(rest) = name.strip_prefix(spelling) else { continue };
            let Some(model) = u16::try_from(n).ok().map(GpuModel) else { continue };
            if best.as_ref().is_none_or(|(length, ..)| *length < spelling.len())
                && let Some(found) = suffixes(rest, model, found)
            {
                best = Some((spelling.len(), model, found));
            }
        }
    }
    best.map(|(_, model, found)| (model, found))
}

/// Reads boards and sizes until nothing is left; of several readings the first that leaves nothing.
fn suffixes(rest: &str, model: GpuModel, found: Found) -> Option<Found> {
    if rest.is_empty() {
        return Some(found);
    }
    let words = BOARDS.iter().map(|(word, _)| *word).chain(SILENT);
    for word in words {
        if let Some(after) = rest.strip_prefix(word) {
            let mut found = found;
            if found.take(word).is_some()
                && let Some(found) = suffixes(after, model, found)
            {
                return Some(found);
            }
        }
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let after = &rest[digits..];
    let after = ["gib", "gb", "g"].iter().find_map(|unit| after.strip_prefix(unit))?;
    if digits == 0 || rest.starts_with('0') {
        return None;
    }
    let mut found = found;
    let gib = rest[..digits].parse().ok()?;
    found.remember_memory(gib)?;
    nominal(model, gib)?;
    suffixes(after, model, found)
}

fn model_named(name: &str) -> Option<GpuModel> {
    let n = MODELS.iter().position(|row| row.spellings.contains(&name))?;
    u16::try_from(n).ok().map(GpuModel)
}

/// The memory that a model has in every size that is sold on the board.
pub(super) fn fixed_memory(model: GpuModel, board: Option<GpuBoard>) -> Option<u16> {
    match (model.name(), board) {
        ("H100", Some(GpuBoard::Nvl)) => Some(94),
        ("H100", Some(GpuBoard::Pcie | GpuBoard::Sxm)) => Some(80),
        _ => match model.memories() {
            [one] => Some(*one),
            _ => None,
        },
    }
}

impl Found {
    /// Whether the word is not part of the model's name; `None` when it contradicts an earlier one.
    fn take(&mut self, word: &str) -> Option<bool> {
        if let Some((_, vendor)) = VENDORS.iter().find(|(name, _)| *name == word) {
            self.remember_vendor(*vendor)?;
            return Some(true);
        }
        if let Some((_, board)) = BOARDS.iter().find(|(name, _)| *name == word) {
            return self.remember_board(*board).map(|()| true);
        }
        if ARCHITECTURES.contains(&word) {
            self.not_turing |= word != "turing";
            return Some(true);
        }
        if SILENT.contains(&word) {
            return Some(true);
        }
        let number = ["gib", "gb", "g"].iter().find_map(|unit| word.strip_suffix(unit));
        match number.and_then(|number| number.parse::<f64>().ok()) {
            Some(gib) => self.remember_memory(gib).map(|()| true),
            None => Some(false),
        }
    }

    fn remember_vendor(&mut self, vendor: GpuVendor) -> Option<()> {
        remember(&mut self.vendor, vendor)
    }

    fn remember_memory(&mut self, gib: f64) -> Option<()> {
        remember(&mut self.memory_gib, gib)
    }

    /// An edition, or a bridge, says more than that the card sits in a slot.
    fn remember_board(&mut self, board: GpuBoard) -> Option<()> {
        use GpuBoard::{MaxQ, Nvl, Pcie, Server, Workstation};
        match (self.board, board) {
            (Some(Pcie), Nvl | Server | Workstation | MaxQ) | (Some(Workstation), MaxQ) => {
                self.board = Some(board);
            }
            (Some(Nvl | Server | Workstation | MaxQ), Pcie) | (Some(MaxQ), Workstation) => {}
            _ => return remember(&mut self.board, board),
        }
        Some(())
    }

    fn gpu(self, model: GpuModel) -> Option<Gpu> {
        if self.vendor.is_some_and(|vendor| vendor != model.vendor()) {
            return None;
        }
        if self.not_turing && QUADRO_RTX.contains(&model.name()) {
            return None;
        }
        let gpu = Gpu { model, memory_gib: fixed_memory(model, self.board), board: self.board };
        match self.memory_gib {
            Some(gib) => gpu.with_memory(gib),
            None => Some(gpu),
        }
    }
}

/// What is said twice must be said alike.
fn remember<T: PartialEq>(slot: &mut Option<T>, value: T) -> Option<()> {
    match slot {
        Some(known) if *known != value => None,
        _ => {
            *slot = Some(value);
            Some(())
        }
    }
}
