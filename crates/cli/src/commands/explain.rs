//! `waag explain`.

use wire::rest::ExplainDoc;

use super::Session;
use crate::failure::Done;
use crate::show::table::{Side, Table};
use crate::show::text::clean;

pub(crate) async fn run(session: &Session<'_>, job: &str) -> Done {
    let doc = session.client.job_explain(job).await?;
    session.out.either(&doc, || {
        let mut text = String::new();
        for placement in &doc.placements {
            text.push_str(&clean(&placement.text));
            text.push('\n');
        }
        if doc.placements.is_empty() {
            text.push_str("no placement yet\n\n");
        }
        if !doc.refused_now.is_empty() {
            text.push_str("refused now\n");
            text.push_str(&refused(&doc));
            text.push_str("\n\n");
        }
        text.push_str(&format!("if its provider is lost: {}\n", clean(&doc.if_lost)));
        for caution in &doc.cautions {
            text.push_str(&format!("caution: {caution}\n"));
        }
        text
    });
    Ok(())
}

fn refused(doc: &ExplainDoc) -> String {
    let mut table = Table::new(&[("network", Side::Left), ("offer", Side::Left), ("rule", Side::Left)]);
    for one in &doc.refused_now {
        table.row([clean(&one.network), clean(&one.reference), one.code.clone()]);
    }
    table.text()
}
