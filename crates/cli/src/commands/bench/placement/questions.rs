//! The jobs that are placed: common ones, rare wishes, and such as were lost once.

use std::collections::BTreeMap;

use domain::{JobId, JobSpec, Millis, NetworkName, OfferRef, PlacementCause, ProviderName, Timestamp, Usd};
use policy::objective::{Knowledge, NetworkFacts};
use policy::placement::{Situation, Tenure};

use super::catalog::NOW;
use crate::failure::{Done, Exit, Failure};

/// What each asks of resources, and of `waag:` beside budget and deadline.
const ASKED: [(&str, &str); 16] = [
    ("accelerators: H100:1", ""),
    ("accelerators: H100:8", "regions: [EU]"),
    ("accelerators: H100-SXM:8, memory: 256+", "regions: [US, CA]"),
    ("accelerators: A100-80GB:1, memory: 32+", "level: high"),
    ("accelerators: A100:4", "regions: [EU-FI, EU-SE, NO-OSL]"),
    ("accelerators: RTX4090:1", ""),
    ("accelerators: RTX4090:2, memory: 128+", "regions: [ASIA]"),
    ("accelerators: L4:1, infra: net-03", ""),
    ("accelerators: L40S:1, max_hourly_cost: 1.00", "regions: [EU]"),
    ("accelerators: T4:1", "regions: [AF-ZA]"),
    ("accelerators: V100-32GB:1", "level: critical"),
    ("accelerators: MI300X:8", ""),
    ("accelerators: B200:8, memory: 512+", "regions: [IS]"),
    ("accelerators: H200:1, max_hourly_cost: 0.10", ""),
    ("cpus: 8+, memory: 32+", "regions: [EU-DE]"),
    ("cpus: 4+", ""),
];

/// A job with all that its placement depends on.
pub(super) struct Question {
    pub(super) asked: String,
    spec: JobSpec,
    lost: Vec<(NetworkName, ProviderName)>,
    refused: Vec<(OfferRef, Timestamp)>,
    covers: BTreeMap<NetworkName, u32>,
    knowledge: Knowledge,
}

impl Question {
    pub(super) fn situation(&self) -> Situation<'_> {
        Situation {
            job: JobId::from_bytes([1; 10]),
            spec: &self.spec,
            now: NOW,
            deadline_at: NOW + self.spec.deadline,
            budget_left: self.spec.budget.max_total,
            segments_done: 0,
            expected_run: Millis::HOUR,
            attempt: 1,
            parent: None,
            cause: PlacementCause::First,
            lost: &self.lost,
            refused_recently: &self.refused,
            covers: &self.covers,
            verification_bps: 0,
            knowledge: &self.knowledge,
            tenure: Tenure::Any,
            failover: !self.lost.is_empty(),
            stale_after: Millis(60_000),
            release_margin: Millis(60_000),
        }
    }
}

/// Each wish as a first placement, and some after a loss and with networks that charge for traffic and lose machines.
pub(super) fn all() -> Done<Vec<Question>> {
    let mut questions = Vec::new();
    for (n, (resources, rest)) in ASKED.iter().enumerate() {
        for again in [false, true] {
            if again && n % 4 != 0 {
                continue;
            }
            questions.push(question(resources, rest, again)?);
        }
    }
    Ok(questions)
}

/// One accelerator of this model anywhere, which SkyPilot can be asked too.
pub(super) fn plain(model: &str) -> Done<Question> {
    question(&format!("accelerators: {model}:1"), "", false)
}

fn question(resources: &str, rest: &str, again: bool) -> Done<Question> {
    let text = format!(
        "name: bench\nresources: {{ {resources} }}\nrun: 'true'\nwaag:\n  budget: {{ max_total_usd: 1000.00 }}\n  deadline: 12h\n  {rest}\n"
    );
    let file = wire::jobfile::parse(text.as_bytes(), "bench")
        .map_err(|e| Failure::new(Exit::Failed, "internal", e.to_string()))?;
    let name = |text: &str| text.parse::<NetworkName>().map_err(|e| anyhow::anyhow!("{e}"));
    let mut question = Question {
        asked: format!("{resources} {rest}{}", if again { " again" } else { "" }),
        spec: file.spec,
        lost: Vec::new(),
        refused: Vec::new(),
        covers: BTreeMap::new(),
        knowledge: Knowledge::default(),
    };
    if again {
        let gone = "p1-7".parse().map_err(|e| anyhow::anyhow!("{e}"))?;
        question.lost.push((name("net-01")?, gone));
        question.refused.push((
            OfferRef { network: name("net-03")?, reference: "o0000007".to_owned() },
            NOW + Millis(60_000),
        ));
        question.knowledge.egress_mib = 20_480;
        for n in [2, 5, 7] {
            let facts = NetworkFacts {
                losses_per_million_hours: 20_000 * n,
                taken_per_million_hours: 0,
                egress_per_gib: Usd::from_micros(10_000 * i64::from(n)),
                verification_bps: 300,
                slippage_bps: 30,
            };
            question.knowledge.networks.insert(name(&format!("net-{n:02}"))?, facts);
        }
    }
    Ok(question)
}
