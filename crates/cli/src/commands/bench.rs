//! `waag bench`.

use crate::args::Bench;
use crate::failure::{Done, Exit, Failure};
use crate::show::Out;

pub(crate) async fn run(_bench: &Bench, _out: &Out) -> Done {
    Err(Failure::new(Exit::Failed, "not_yet", "not yet"))
}
