//! Jobs with a real agent process, a TLS connection and a sandbox each.

use std::time::Instant;

use anyhow::Context;

use super::JOB;
use super::control_plane::{all_settled, submit};
use crate::failure::Done;
use crate::plane::{Plane, processes};
use crate::settings::Settings;

/// Jobs under way at a time: more would only wait for the processor.
const AT_A_TIME: i128 = 12;
const BUDGET_MICROS: i128 = 1_000_000;

/// Runs `jobs` jobs and says how many were settled a second.
pub(super) async fn jobs_per_s(settings: &Settings, jobs: u32) -> Done<f64> {
    let plane = Plane::start(settings, processes(&settings.data)?).await?;
    let started = Instant::now();
    for _ in 0..jobs {
        // Each open job holds its budget, so what is held counts them.
        while held(&plane).await? >= AT_A_TIME * BUDGET_MICROS {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        submit(&plane.engine, JOB).await?;
    }
    let settled = all_settled(&plane.engine).await;
    let took = started.elapsed();
    plane.stop().await;
    settled?;
    Ok(f64::from(jobs) / took.as_secs_f64())
}

async fn held(plane: &Plane) -> Done<i128> {
    Ok(plane.engine.account_view().await.context("read the account")?.held_usd.micros())
}
