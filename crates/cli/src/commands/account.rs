//! `waag account`.

use super::Session;
use crate::failure::Done;

pub(crate) async fn run(session: &Session<'_>) -> Done {
    let account = session.client.account().await?;
    session.out.either(&account, || {
        format!(
            "funded     ${}\navailable  ${}\nheld       ${}\nposted     ${}",
            account.funded_usd, account.available_usd, account.held_usd, account.posted_usd
        )
    });
    Ok(())
}
