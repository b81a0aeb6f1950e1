//! Named points around every effect, where a test may stop the process.

/// The work was stopped at a named point. Production never sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("interrupted at `{point}`")]
pub struct Interrupted {
    /// The point's name, e.g. `lease.submit.after`.
    pub point: &'static str,
}

/// Told whenever a named point is reached.
pub trait Probe: Send + Sync {
    /// Called before and after each effect.
    ///
    /// # Errors
    /// `Interrupted` means: behave as if the process had died here, so return at once and write nothing more.
    fn reached(&self, point: &'static str) -> Result<(), Interrupted>;
}

/// Lets everything pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProbe;

impl Probe for NoProbe {
    fn reached(&self, _point: &'static str) -> Result<(), Interrupted> {
        Ok(())
    }
}
