//! The second act: the same job, on a provider that puts bytes of its own in the place of half of its states. The first and the
//! last segment are always drawn, so it spares these.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use chain::market::{MarketEvent, usd};
use domain::Usd;
use serde_json::{Value, json};
use wire::rest::{JobDoc, PlanJob};

use super::tell::{proof, verdict};
use super::{JOB, JOB_NAME, POLL, with_offer};
use crate::commands::Session;
use crate::commands::run::{job_file, submit};
use crate::failure::{Done, Exit, Failure};
use crate::follow::{Watch, report};
use crate::plane::{NETWORK, Plane};
use crate::settings::Settings;

/// Sixteen of the thirty-two segments.
const FAULT: &str = "fabricate=8..24";
/// Below every other, so that it is chosen.
const PRICE: &str = "0.02";
/// Nobody else is to do the work after it: what becomes of the money is to be seen.
const CHANGES: [(&str, &str); 2] = [
    ("resources: { cpus: 1+, memory: 1+ }", "resources: { cpus: 1+, memory: 1+, infra: waag }"),
    ("failover: { attempts: 3, to: [any] }", "failover: { attempts: 0 }"),
];

/// How the second act ended.
pub(super) struct Cheated {
    job: JobDoc,
    /// What the consumer got back of its escrow, by the chain.
    refunded: Usd,
}

/// Starts the provider, and runs the job on it.
pub(super) async fn act(
    session: &Session<'_>,
    plane: &mut Plane,
    settings: &Settings,
    started: Instant,
) -> Done<Cheated> {
    let cheap = settings.with(&[("networks.waag.price_usd_hour", PRICE.to_owned())])?;
    plane.add_provider(&cheap, Some(FAULT)).await?;
    let text = CHANGES.iter().fold(JOB.to_owned(), |text, (from, to)| text.replace(from, to));
    let file = job_file::of_bytes(text.into_bytes(), JOB_NAME.to_owned(), Path::new("."))?;
    session
        .out
        .say(&format!("\nthe same job on a provider of {NETWORK} that fabricates 16 of its 32 segments:\n"));
    let plan = PlanJob { file: file.text.clone(), file_name: Some(file.name.clone()) };
    cheapest(session, plane, &plan).await?;
    let job = submit(session, &file, None).await?;
    let mut watch = Watch::new(&session.client, session.out, &job, started);
    let job = loop {
        let now = watch.turn().await?;
        if now.state == "settled" {
            watch.finish();
            break now;
        }
        tokio::time::sleep(POLL).await;
    };
    let refunded = slashed_refund(plane).await?;
    Ok(Cheated { job, refunded })
}

/// Waits until its offer is seen: the other provider of our market is dead, and its offer still stands.
async fn cheapest(session: &Session<'_>, plane: &Plane, plan: &PlanJob) -> Done {
    let price = PRICE.parse().context("read the price")?;
    let began = Instant::now();
    loop {
        let ranked = with_offer(session, plane, plan).await?;
        if ranked.offers.iter().any(|offer| offer.network == NETWORK && offer.price_usd_hour == price) {
            return Ok(());
        }
        if began.elapsed() > super::OFFER_PATIENCE {
            let what = "the provider that is to cheat has posted no offer";
            return Err(Failure::new(Exit::Failed, "no_offer", what));
        }
        tokio::time::sleep(super::OFFER_POLL).await;
        plane.engine.refresh_offers().await.context("ask the networks for offers")?;
    }
}

/// What consumers got back with slashes, by the market's own events.
async fn slashed_refund(plane: &Plane) -> Done<Usd> {
    let Some(market) = &plane.market else { return Ok(Usd::ZERO) };
    let follower = market.market.follower(market.deployed.block, 0, &[]);
    let mut cursor = None;
    let mut refunded = Usd::ZERO;
    loop {
        let page = follower.page(cursor.as_ref()).await.context("read the market's events")?;
        let events = market.market.events(&page.events).await.context("read the market's events")?;
        for happened in events {
            if let MarketEvent::LeaseSlashed { refunded: amount, .. } = happened.event {
                refunded += usd(amount);
            }
        }
        if page.at_head {
            return Ok(refunded);
        }
        cursor = Some(page.cursor);
    }
}

impl Cheated {
    /// What must hold at the end of every demo.
    pub(super) fn check(&self) -> Done {
        let failed = |what: &str| Err(Failure::new(Exit::Failed, "demo_failed", what.to_owned()));
        if self.verdict() != "failed" {
            return failed(&format!("the provider that cheated has the verdict {}", self.verdict()));
        }
        if self.slashed() == Usd::ZERO || self.refunded == Usd::ZERO {
            return failed("the provider that cheated lost no stake, or its consumer got nothing back");
        }
        Ok(())
    }

    fn verdict(&self) -> &str {
        self.job.executions.first().map_or("unknown", verdict)
    }

    fn slashed(&self) -> Usd {
        self.job.executions.iter().filter_map(|x| x.proof.as_ref()).map(|proof| proof.slashed_usd).sum()
    }

    pub(super) fn text(&self) -> String {
        let miss = self.job.executions.iter().filter_map(|x| x.proof.as_ref()?.miss_probability);
        format!(
            "{}\n\ncheater    verdict {}: ${} of its stake slashed, ${} of escrow refunded; the chance of missing half of the segments was {:.5}",
            report::text(&self.job),
            self.verdict(),
            self.slashed(),
            self.refunded,
            miss.fold(0.0, f64::max),
        )
    }

    pub(super) fn document(&self) -> Value {
        json!({
            "job": self.job.id,
            "outcome": self.job.outcome,
            "verdict": self.verdict(),
            "slashed": self.slashed() > Usd::ZERO,
            "slashed_usd": self.slashed(),
            "refunded_usd": self.refunded,
            "proof": proof(&self.job),
        })
    }
}
