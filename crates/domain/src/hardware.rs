//! What a machine has, and what a job needs.

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
    /// The model, e.g. `H100`; compared without regard to case.
    pub model: String,
    /// How many.
    pub count: u32,
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
        let short = |need: Option<Need>, amount: u64| need.is_some_and(|n| !n.met_by(amount));
        if short(self.cpus_milli, u64::from(hardware.cpus_milli)) {
            return Some(HardwareGap::Cpus);
        }
        if short(self.memory_mib, hardware.memory_mib) {
            return Some(HardwareGap::Memory);
        }
        if self.disk_mib.is_some_and(|least| hardware.disk_mib < least) {
            return Some(HardwareGap::Disk);
        }
        let wanted = self.accelerators.as_ref()?;
        let fits = hardware
            .accelerators
            .as_ref()
            .is_some_and(|have| have.model.eq_ignore_ascii_case(&wanted.model) && have.count >= wanted.count);
        (!fits).then_some(HardwareGap::Accelerators)
    }
}
