//! The operating system's random bytes.

use domain::Entropy;

/// Random bytes from the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, out: &mut [u8]) {
        // Without random bytes every key would be guessable, so there is nothing better to do than to stop; on Linux
        // the call cannot fail once the system has booted.
        if getrandom::fill(out).is_err() {
            std::process::abort();
        }
    }
}

/// Lends the injected source to libraries that ask for a generator.
pub(crate) struct Rng<'a>(pub(crate) &'a dyn Entropy);

impl rand_core::TryRng for Rng<'_> {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill(out);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Rng<'_> {}
