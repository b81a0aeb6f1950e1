//! A catalogue like a cloud: firm offers, stock, regions, at least a minute billed, payment that cannot be withheld.

use domain::Assurance::{Attested, Audited, Claimed};
use domain::{Billing, Firmness, Millis, Usd};

use super::kind::{Kind, Provider, Row, providers};
use crate::Capability;

/// The kind of `sim-cloud`.
pub struct Catalogue {
    providers: Vec<Provider>,
}

impl Default for Catalogue {
    fn default() -> Self {
        Self {
            providers: providers(&[
                Row("nimbus-eu", "EU-DE", "std-2", 2, 8, None, 88_000, Audited, 400),
                Row("nimbus-us", "US-VA", "std-2", 2, 8, None, 84_000, Audited, 400),
                Row("nimbus-asia", "ASIA-SG", "std-2", 2, 8, None, 79_000, Audited, 400),
                Row("nimbus-eu", "EU-DE", "std-8", 8, 32, None, 352_000, Audited, 60),
                Row("nimbus-us", "US-VA", "mem-16", 16, 128, None, 900_000, Audited, 20),
                Row("nimbus-us", "US-VA", "h100-8", 96, 1024, Some(("H100", 8)), 39_200_000, Attested, 2),
                Row("nimbus-eu", "EU-DE", "a100-1", 12, 96, Some(("A100", 1)), 2_800_000, Attested, 4),
                Row("nimbus-eu", "EU-FR", "free-1", 1, 1, None, 0, Claimed, 1),
            ]),
        }
    }
}

impl Kind for Catalogue {
    fn capability(&self) -> Capability {
        Capability {
            logs: false,
            exec: false,
            files: false,
            regions: true,
            labels: true,
            idempotency: true,
            stock: true,
            auction: false,
            queue: false,
            extend: true,
            withholds_payment: false,
            visibility: Millis(2000),
            bid_window: Millis::ZERO,
            simulated: true,
        }
    }

    fn firmness(&self) -> Firmness {
        Firmness::Firm
    }

    fn providers(&self) -> &[Provider] {
        &self.providers
    }

    fn billing(&self, _provider: &Provider) -> Billing {
        Billing::Metered { minimum: Millis::from_secs(60) }
    }

    fn fee(&self) -> Usd {
        Usd::ZERO
    }

    fn startup(&self) -> Millis {
        Millis(400)
    }
}
