//! One name for each accelerator, whatever a catalogue calls it.
//!
//! - `models.rs`: the table of models, with their vendors, memory sizes and spellings.
//! - `spelling.rs`: how a catalogue's text is taken apart.

mod models;
mod spelling;

use std::fmt;

use self::models::{MODELS, Row};

/// Who designed a chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GpuVendor {
    /// NVIDIA.
    Nvidia,
    /// AMD.
    Amd,
    /// Intel, Habana included.
    Intel,
    /// Amazon Web Services.
    Aws,
    /// Google.
    Google,
    /// Qualcomm.
    Qualcomm,
    /// Tenstorrent.
    Tenstorrent,
}

impl GpuVendor {
    /// Its name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nvidia => "nvidia",
            Self::Amd => "amd",
            Self::Intel => "intel",
            Self::Aws => "aws",
            Self::Google => "google",
            Self::Qualcomm => "qualcomm",
            Self::Tenstorrent => "tenstorrent",
        }
    }
}

/// How a chip is mounted, or which edition of a card it is: what a vendor sells under one model name at different speeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GpuBoard {
    /// A card in a PCI Express slot.
    Pcie,
    /// A module on an NVIDIA HGX or DGX board.
    Sxm,
    /// Cards in bridged pairs (`NVL`).
    Nvl,
    /// A module of the Open Compute Project.
    Oam,
    /// The server edition of a card.
    Server,
    /// The workstation edition of a card.
    Workstation,
    /// The edition of a card with a lower power limit.
    MaxQ,
}

/// How accelerators of one machine reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interconnect {
    /// Over PCI Express.
    Pcie,
    /// In bridged pairs.
    Bridged,
    /// All with all, over a fabric of their own.
    Fabric,
}

impl GpuBoard {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Pcie => "PCIe",
            Self::Sxm => "SXM",
            Self::Nvl => "NVL",
            Self::Oam => "OAM",
            Self::Server => "Server",
            Self::Workstation => "Workstation",
            Self::MaxQ => "MaxQ",
        }
    }
}

/// A model of accelerator, in no particular size or mounting.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GpuModel(u16);

impl GpuModel {
    fn row(self) -> &'static Row {
        &MODELS[usize::from(self.0)]
    }

    /// All that are known.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..MODELS.len()).filter_map(|n| u16::try_from(n).ok().map(Self))
    }

    /// The one name by which we call it.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Who designed it.
    pub fn vendor(self) -> GpuVendor {
        self.row().vendor
    }

    /// The memory sizes that it is sold with, in GiB as its vendor counts them; empty where none is listed.
    pub fn memories(self) -> &'static [u16] {
        self.row().memories
    }
}

impl fmt::Debug for GpuModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An accelerator as far as its name tells; what the name does not tell stays unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gpu {
    model: GpuModel,
    memory_gib: Option<u16>,
    board: Option<GpuBoard>,
}

/// A measured size is called by the nominal one when it is at most so much smaller (what firmware and drivers keep) or
/// larger (gigabytes read as gibibytes), in percent.
const SMALLER_MAX: f64 = 10.0;
const LARGER_MAX: f64 = 2.0;

impl Gpu {
    /// Reads any spelling: `H100`, `H100-80GB-HBM3`, `NVIDIA H100 PCIe`, `h100-sxm`. `None` for what is not in the table, for
    /// a part of a chip (a MIG slice, a virtual GPU), and for a spelling that contradicts itself.
    pub fn parse(text: &str) -> Option<Self> {
        spelling::read(text)
    }

    /// The model.
    pub const fn model(self) -> GpuModel {
        self.model
    }

    /// Memory of one, in GiB as the vendor counts them, where the name or the model fixes it.
    pub const fn memory_gib(self) -> Option<u16> {
        self.memory_gib
    }

    /// The board, where the name tells.
    pub const fn board(self) -> Option<GpuBoard> {
        self.board
    }

    /// How several of one machine reach each other; `None` where the name does not tell.
    pub fn interconnect(self) -> Option<Interconnect> {
        Some(match self.board? {
            GpuBoard::Sxm | GpuBoard::Oam => Interconnect::Fabric,
            GpuBoard::Nvl => Interconnect::Bridged,
            GpuBoard::Pcie | GpuBoard::Server | GpuBoard::Workstation | GpuBoard::MaxQ => Interconnect::Pcie,
        })
    }

    /// The same with the memory that was measured or listed beside the name, in GiB. `None` when the model is not sold so, or
    /// the name says otherwise.
    pub fn with_memory(self, gib: f64) -> Option<Self> {
        if self.model.memories().is_empty() {
            return Some(self);
        }
        let nominal = nominal(self.model, gib)?;
        match self.memory_gib {
            Some(known) if known != nominal => None,
            _ => Some(Self { memory_gib: Some(nominal), ..self }),
        }
    }

    /// Whether a request for `self` is met by `have`: the same model, and what the request names is known and the same.
    pub fn met_by(self, have: Self) -> bool {
        self.model == have.model
            && (self.memory_gib.is_none() || self.memory_gib == have.memory_gib)
            && (self.board.is_none() || self.board == have.board)
    }
}

/// The size that the model is sold with that is nearest to `gib`, if it is near enough.
fn nominal(model: GpuModel, gib: f64) -> Option<u16> {
    let near = |size: &&u16| {
        let percent = (gib / f64::from(**size) - 1.0) * 100.0;
        (-SMALLER_MAX..=LARGER_MAX).contains(&percent)
    };
    let distance = |size: &u16| (gib - f64::from(*size)).abs();
    model.memories().iter().filter(near).min_by(|a, b| distance(a).total_cmp(&distance(b))).copied()
}

impl fmt::Display for Gpu {
    /// The canonical spelling: `H100`, `A100-80GB-SXM`. A size that the model fixes is left out. `Gpu::parse` reads it back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.model.name().to_owned();
        if let Some(gib) = self.memory_gib
            && spelling::fixed_memory(self.model, self.board) != Some(gib)
        {
            text.push_str(&format!("-{gib}GB"));
        }
        if let Some(board) = self.board {
            text.push('-');
            text.push_str(board.suffix());
        }
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests;
