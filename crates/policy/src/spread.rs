//! How much of a job may stand in one hand, on one network, in one region, or behind one failure: a rule for each replica that is
//! added to those there are.

use domain::{NetworkName, ProviderName, Region};

/// Hosts that are resold under other names: what fails at the one fails at the other. Upstream names are those that aggregators
/// give their hosts in the catalogues of github.com/skypilot-org/skypilot-catalog, v8; DataCrunch is called Verda since 2025.
const ALIASES: [(&str, &str); 9] = [
    ("lambdalabs", "lambda"),
    ("lambda-labs", "lambda"),
    ("lambda_labs", "lambda"),
    ("datacrunch", "verda"),
    ("data-crunch", "verda"),
    ("crusoecloud", "crusoe"),
    ("massed-compute", "massedcompute"),
    ("spheron-ai", "spheron"),
    ("prime", "primeintellect"),
];

/// Where a replica stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand<'a> {
    /// Its network.
    pub network: &'a NetworkName,
    /// Who owns the machine, where that is known.
    pub provider: Option<&'a ProviderName>,
    /// Who controls the provider, where that is known; else it controls itself.
    pub controller: Option<&'a str>,
    /// Where it is, where that is known.
    pub region: Option<&'a Region>,
}

/// The largest shares, in ten-thousandths of all replicas; 10,000 is no limit. A share allows at least one replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// In the hands of one provider.
    pub provider_bps: u32,
    /// In the hands of one controller.
    pub controller_bps: u32,
    /// On one network.
    pub network_bps: u32,
    /// In one region.
    pub region_bps: u32,
    /// Behind one failure.
    pub failure_bps: u32,
}

/// Which share a replica would break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowded {
    /// That of its provider.
    Provider,
    /// That of its controller.
    Controller,
    /// That of its network.
    Network,
    /// That of its region.
    Region,
    /// That of its failure domain.
    Failure,
}

impl Default for Shares {
    fn default() -> Self {
        let all = 10_000;
        Self { provider_bps: all, controller_bps: all, network_bps: all, region_bps: all, failure_bps: all }
    }
}

impl<'a> Stand<'a> {
    /// What fails together with it: the real host, whoever sells it. `prime:lambda` and Lambda itself are one. Where the provider is
    /// not known, the network.
    pub fn failure_domain(&self) -> &'a str {
        let name = self.provider.map_or(self.network.as_str(), ProviderName::as_str);
        // An aggregator may put its own name before that of the host.
        let host = name.rsplit(['.', '/', ':']).next().unwrap_or(name);
        let own = self.provider.is_some() && !is_aggregator(self.network);
        alias(if own { self.network.as_str() } else { host })
    }

    fn controller(&self) -> Option<&'a str> {
        self.controller.or_else(|| self.provider.map(ProviderName::as_str))
    }
}

/// Networks whose machines belong to many hosts; on all others the network's failure is every machine's.
const AGGREGATORS: [&str; 11] = [
    "prime",
    "primeintellect",
    "spheron",
    "shadeform",
    "vast",
    "lium",
    "hyperbolic",
    "akash",
    "golem",
    "flux",
    "waag",
];

fn is_aggregator(network: &NetworkName) -> bool {
    let name = network.as_str();
    AGGREGATORS.contains(&name) || name.starts_with("sim-")
}

fn alias(name: &str) -> &str {
    ALIASES.iter().find(|(other, _)| *other == name).map_or(name, |(_, known)| known)
}

/// Whether another replica stands where the next one would.
type Same<'a> = &'a dyn Fn(&Stand<'_>) -> bool;

/// Whether `next` may join `held`, of `replicas` in the end: the first share that it would break. What is not known is in no
/// share but that of its network.
pub fn crowded(shares: &Shares, replicas: u32, held: &[Stand<'_>], next: &Stand<'_>) -> Option<Crowded> {
    let most = |bps: u32| (u64::from(replicas) * u64::from(bps) / 10_000).max(1);
    let over = |bps: u32, same: Same<'_>| held.iter().filter(|stand| same(stand)).count() as u64 >= most(bps);
    // One provider's name may stand for others on other networks.
    let provider = |stand: &Stand<'_>| {
        next.provider.is_some() && stand.provider == next.provider && stand.network == next.network
    };
    let controller =
        |stand: &Stand<'_>| next.controller().is_some() && stand.controller() == next.controller();
    let region = |stand: &Stand<'_>| next.region.is_some() && stand.region == next.region;
    let network = |stand: &Stand<'_>| stand.network == next.network;
    let failure = |stand: &Stand<'_>| stand.failure_domain() == next.failure_domain();
    let rules: [(Crowded, u32, Same<'_>); 5] = [
        (Crowded::Provider, shares.provider_bps, &provider),
        (Crowded::Controller, shares.controller_bps, &controller),
        (Crowded::Network, shares.network_bps, &network),
        (Crowded::Region, shares.region_bps, &region),
        (Crowded::Failure, shares.failure_bps, &failure),
    ];
    rules.into_iter().find(|(_, bps, same)| *bps < 10_000 && over(*bps, same)).map(|(crowded, ..)| crowded)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Names(NetworkName, Option<ProviderName>, Region);

    fn names(network: &str, provider: Option<&str>, region: &str) -> Names {
        Names(network.parse().unwrap(), provider.map(|name| name.parse().unwrap()), region.parse().unwrap())
    }

    impl Names {
        fn stand(&self) -> Stand<'_> {
            Stand { network: &self.0, provider: self.1.as_ref(), controller: None, region: Some(&self.2) }
        }
    }

    #[test]
    fn a_host_that_is_resold_fails_with_its_own_shop() {
        let domain = |network: &str, provider: Option<&str>| {
            names(network, provider, "EU").stand().failure_domain().to_owned()
        };
        assert_eq!(domain("prime", Some("lambda")), "lambda");
        assert_eq!(domain("primeintellect", Some("lambdalabs")), "lambda");
        assert_eq!(domain("lambda", Some("lambda")), "lambda");
        assert_eq!(domain("lambda", None), "lambda");
        assert_eq!(domain("spheron", Some("data-crunch")), "verda");
        assert_eq!(domain("aws", Some("us-east-1")), "aws");
        assert_ne!(domain("vast", Some("host-1")), domain("vast", Some("host-2")));
    }

    #[test]
    fn each_share_is_kept() {
        let half = Shares { network_bps: 5_000, ..Shares::default() };
        let here = names("vast", Some("a"), "EU-DE");
        let there = names("akash", Some("a"), "US");
        let held = [here.stand(), here.stand()];
        assert_eq!(crowded(&half, 4, &held, &here.stand()), Some(Crowded::Network));
        assert_eq!(crowded(&half, 4, &held, &there.stand()), None);
        assert_eq!(crowded(&half, 6, &held, &here.stand()), None);
        assert_eq!(crowded(&Shares::default(), 4, &held, &here.stand()), None);

        let third = |shares: Shares| crowded(&shares, 3, &held[..1], &here.stand());
        let bps = 3_334;
        assert_eq!(third(Shares { provider_bps: bps, ..Shares::default() }), Some(Crowded::Provider));
        assert_eq!(third(Shares { controller_bps: bps, ..Shares::default() }), Some(Crowded::Controller));
        assert_eq!(third(Shares { region_bps: bps, ..Shares::default() }), Some(Crowded::Region));
        assert_eq!(third(Shares { failure_bps: bps, ..Shares::default() }), Some(Crowded::Failure));
    }

    #[test]
    fn one_hand_on_two_networks_is_one_controller_and_one_failure() {
        let resold = names("prime", Some("lambda"), "US");
        let own = names("lambda", None, "EU");
        let shares = Shares { failure_bps: 5_000, ..Shares::default() };
        assert_eq!(crowded(&shares, 2, &[resold.stand()], &own.stand()), Some(Crowded::Failure));
        let other = names("vast", Some("b"), "US");
        let by = |names| Stand { controller: Some("holding"), ..names };
        let shares = Shares { controller_bps: 5_000, ..Shares::default() };
        assert_eq!(crowded(&shares, 2, &[by(resold.stand())], &by(other.stand())), Some(Crowded::Controller));
    }

    #[test]
    fn what_is_not_known_is_in_no_share_and_one_is_always_allowed() {
        let queue = names("sim-queue", None, "EU");
        let unknown = Stand { region: None, ..queue.stand() };
        let tight = Shares { provider_bps: 1, controller_bps: 1, region_bps: 1, ..Shares::default() };
        assert_eq!(crowded(&tight, 9, &[unknown, unknown], &unknown), None);
        let none = Shares { network_bps: 0, ..Shares::default() };
        assert_eq!(crowded(&none, 9, &[], &unknown), None);
        assert_eq!(crowded(&none, 9, &[unknown], &unknown), Some(Crowded::Network));
    }
}
