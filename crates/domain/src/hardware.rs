//! What a machine has, and what a job needs.

use crate::Gpu;

/// What an offer's machine has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hardware {
    /// Processor share in thousandths of a core.
    pub cpus_milli: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Disk in MiB.
    pub disk_mib: u64,
    /// Accelerators, when there are any.
    pub accelerators: Option<Accelerators>,
}

/// A number of accelerators of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accelerators {
    /// The model, in any spelling that [`Gpu::parse`] reads, e.g. `H100`; others are compared without regard to case.
    pub model: String,
    /// How many.
    pub count: u32,
}

impl Accelerators {
    /// Whether these are what `wanted` asks for, and at least as many. Spellings of one model are the same; names that are in
    /// no table are compared as they are, without regard to case.
    pub fn meet(&self, wanted: &Self) -> bool {
        self.count >= wanted.count
            && (self.model.eq_ignore_ascii_case(&wanted.model)
                || Gpu::parse(&wanted.model)
                    .zip(Gpu::parse(&self.model))
                    .is_some_and(|(wanted, have)| wanted.met_by(have)))
    }
}

/// An amount a job asks for: `4` is exactly four, `4+` at least four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// This much, no more and no less.
    Exactly(u64),
    /// This much or more.
    AtLeast(u64),
}

impl Need {
    /// Whether `amount` is enough.
    pub const fn met_by(self, amount: u64) -> bool {
        match self {
            Self::Exactly(n) => amount == n,
            Self::AtLeast(n) => amount >= n,
        }
    }

    /// The least amount that is enough.
    pub const fn least(self) -> u64 {
        match self {
            Self::Exactly(n) | Self::AtLeast(n) => n,
        }
    }
}

/// What a job needs; a missing field asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requirement {
    /// Thousandths of a core.
    pub cpus_milli: Option<Need>,
    /// MiB.
    pub memory_mib: Option<Need>,
    /// MiB; a disk is sized to the job, so this is always a floor.
    pub disk_mib: Option<u64>,
    /// Accelerators: this model and at least this many.
    pub accelerators: Option<Accelerators>,
}

/// The first thing in which hardware falls short of a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HardwareGap {
    /// Too few or not exactly the asked cores.
    Cpus,
    /// Too little or not exactly the asked memory.
    Memory,
    /// Too little disk.
    Disk,
    /// No accelerator, another model, or too few.
    Accelerators,
}

impl Requirement {
    /// `None` when the hardware is enough, else what is missing first.
    pub fn gap(&self, hardware: &Hardware) -> Option<HardwareGap> {
        let fits =
            |wanted: &Accelerators| hardware.accelerators.as_ref().is_some_and(|have| have.meet(wanted));
        self.gap_by(hardware.cpus_milli, hardware.memory_mib, hardware.disk_mib, fits)
    }

    /// The same for hardware in parts, where `fits` tells whether its accelerators are those that are wanted.
    pub fn gap_by(
        &self,
        cpus_milli: u32,
        memory_mib: u64,
        disk_mib: u64,
        fits: impl FnOnce(&Accelerators) -> bool,
    ) -> Option<HardwareGap> {
        let short = |need: Option<Need>, amount: u64| need.is_some_and(|n| !n.met_by(amount));
        if short(self.cpus_milli, u64::from(cpus_milli)) {
            return Some(HardwareGap::Cpus);
        }
        if short(self.memory_mib, memory_mib) {
            return Some(HardwareGap::Memory);
        }
        if self.disk_mib.is_some_and(|least| disk_mib < least) {
            return Some(HardwareGap::Disk);
        }
        let wanted = self.accelerators.as_ref()?;
        (!fits(wanted)).then_some(HardwareGap::Accelerators)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accelerators_meet_a_request_by_their_model_whatever_they_are_called() {
        let these = |model: &str, count| Accelerators { model: model.to_owned(), count };
        assert!(these("NVIDIA H100 PCIe", 8).meet(&these("H100", 4)));
        assert!(these("h100", 1).meet(&these("H100", 1)));
        assert!(!these("H100", 1).meet(&these("H100", 2)));
        assert!(!these("A10G", 1).meet(&these("A10", 1)));
        assert!(these("Accelerator-9", 1).meet(&these("accelerator-9", 1)), "in no table");
        assert!(!these("Accelerator-9 PCIe", 1).meet(&these("accelerator-9", 1)));
    }
}
