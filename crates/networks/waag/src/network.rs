//! Buying, watching and ending leases.

use async_trait::async_trait;
use chain::market::{Offer as OnChain, OfferId, Refusal, State, moment, signer_of, usd};
use domain::{
    Assurance, Billing, Firmness, Label, Millis, NetworkName, Offer, OfferRef, ProviderName, Quote,
    Timestamp, Usd, UsdPerHour,
};
use market::{
    Balance, Capability, Error, ErrorKind, Intent, Introduction, Listed, Network, Observation, Operation,
    RetryStatus, Terms,
};
use zeroize::Zeroizing;

use crate::error::{lost_race, of_read, of_send};
use crate::index::{Index, Posted};
use crate::order::Purchase;
use crate::{Found, WaagNetwork, seconds};

/// The other side may move a lease between our look and our act; then we look again, this often.
const LOOKS_MAX: u32 = 4;

#[async_trait]
impl Network for WaagNetwork {
    fn name(&self) -> &NetworkName {
        &self.name
    }

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
            introduces: true,
            withholds_payment: true,
            reserve_bps: self.market.settings().reserve_bps,
            visibility: Millis::ZERO,
            bid_window: Millis::ZERO,
            simulated: self.simulated,
        }
    }

    async fn offers(&self) -> Result<Vec<Offer>, Error> {
        let posted = self.with_index(Operation::Offers, |index| index.offers()).await?;
        let ids: Vec<_> = posted.iter().map(|posted| posted.id).collect();
        let unreadable = |e| of_read(e).in_call(&self.name, Operation::Offers);
        let found = self.market.offers(&ids).await.map_err(unreadable)?;
        let now = self.clock.now();
        let offers = posted.iter().zip(found);
        Ok(offers.filter_map(|(posted, found)| self.offer(posted, found?, now)).collect())
    }

    async fn prepare(&self, offer: &Offer, terms: &Terms) -> Result<Intent, Error> {
        let refuse = |kind, context: String| {
            Error::new(&self.name, Operation::Prepare, kind, RetryStatus::Permanent, context)
        };
        if offer.price.per_hour() <= Usd::ZERO {
            return Err(refuse(ErrorKind::Refused, "the offer has no price".to_owned()));
        }
        let purchase = Purchase::of(offer, terms, self.sender.address(), self.clock.now())
            .map_err(|why| refuse(ErrorKind::InvalidInput, why))?;
        let bytes = purchase.to_bytes().map_err(|e| refuse(ErrorKind::InvalidInput, e.to_string()))?;
        Ok(Intent { label: terms.label.clone(), bytes: Zeroizing::new(bytes) })
    }

    async fn submit(&self, intent: &Intent) -> Result<(), Error> {
        let Some(Purchase { order, contact }) = Purchase::from_bytes(&intent.bytes) else {
            let (kind, status) = (ErrorKind::InvalidInput, RetryStatus::Permanent);
            let context = "the intent is none of this network";
            return Err(Error::new(&self.name, Operation::Submit, kind, status, context));
        };
        let call = self.market.calls().create_lease(&order, contact);
        match self.send(format!("create:{}", intent.label), call).await {
            Ok(_) => Ok(()),
            // It was created before, whatever became of it.
            Err(error) if matches!(Refusal::of(&error), Some(Refusal::WrongState { state: Some(_) })) => {
                Ok(())
            }
            Err(error) => Err(of_send(error).in_call(&self.name, Operation::Submit)),
        }
    }

    async fn observe(&self, label: &Label) -> Result<Observation, Error> {
        let Some(found) = self.find(Operation::Observe, label).await? else { return Ok(Observation::Absent) };
        if found.lease.state == State::Open && found.now > found.lease.deadline {
            // Nobody accepted in time, and nobody can any more.
            return self.end(Operation::Observe, label).await;
        }
        Ok(shown(&found))
    }

    async fn list_ours(&self) -> Result<Vec<Listed>, Error> {
        let running = self.with_index(Operation::ListOurs, Index::running).await?;
        Ok(running.into_iter().map(|(label, since)| Listed { label, since }).collect())
    }

    async fn extend(&self, label: &Label, span: Millis) -> Result<(), Error> {
        let refuse = |kind, context: &str| {
            Error::new(&self.name, Operation::Extend, kind, RetryStatus::Permanent, context)
        };
        let wanted = u32::try_from(span.0.div_ceil(1000)).unwrap_or(u32::MAX);
        for _ in 0..LOOKS_MAX {
            let found = self.find(Operation::Extend, label).await?;
            let found = found.ok_or_else(|| refuse(ErrorKind::NotFound, "there is no such lease"))?;
            let Some(order) = found.lease.order.as_ref().filter(|_| found.ended().is_none()) else {
                return Err(refuse(ErrorKind::Refused, "the lease has ended"));
            };
            let extra = wanted.saturating_sub(found.lease.span);
            if extra == 0 {
                return Ok(());
            }
            // One extension at a time: one that was signed before and not seen since is sent in place of this, and what is
            // then still missing is asked for after it. Under two keys both would happen, and be paid.
            let call = self.market.calls().extend(order, extra);
            let sent = self.send(format!("extend:{label}"), call).await;
            sent.map_err(|error| of_send(error).in_call(&self.name, Operation::Extend))?;
        }
        Err(self.moves(Operation::Extend))
    }

    async fn release(&self, label: &Label) -> Result<Observation, Error> {
        self.end(Operation::Release, label).await
    }

    async fn balance(&self) -> Result<Balance, Error> {
        let us = self.sender.address();
        let unreadable = |e| of_read(e).in_call(&self.name, Operation::Balance);
        let account = self.market.account(us).await.map_err(unreadable)?;
        let outside = self.market.token_balance(us).await.map_err(unreadable)?;
        let allowed = self.market.token_allowance(us).await.map_err(unreadable)?;
        Ok(Balance { available: Some(usd(account.balance.saturating_add(outside.min(allowed)))) })
    }

    async fn vouches(&self, label: &Label, introduction: &Introduction) -> Result<bool, Error> {
        let Some(found) = self.find(Operation::Vouch, label).await? else { return Ok(false) };
        let Some(order) = found.lease.order.as_ref().filter(|_| is_live(&found)) else { return Ok(false) };
        let statement = chain::keccak256(&introduction.statement);
        let Some(agent) = signer_of(statement, &introduction.signature) else { return Ok(false) };
        let named = introduction.agent.parse().is_ok_and(|named: chain::Address| named == agent);
        let delegation = self.market.digests().delegation(found.lease.id, agent);
        let provider = signer_of(delegation, &introduction.delegation);
        Ok(named && provider == Some(order.offer.provider()))
    }
}

impl WaagNetwork {
    /// Ends what has not ended.
    async fn end(&self, operation: Operation, label: &Label) -> Result<Observation, Error> {
        for _ in 0..LOOKS_MAX {
            let Some(found) = self.find(operation, label).await? else {
                // What was signed may still become a lease.
                match self.resume(format!("create:{label}")).await {
                    Ok(true) => continue,
                    Ok(false) => return Ok(Observation::Absent),
                    Err(error) => return Err(of_send(error).in_call(&self.name, operation)),
                }
            };
            let Some(order) = found.lease.order.as_ref().filter(|_| found.ended().is_none()) else {
                return Ok(shown(&found));
            };
            let calls = self.market.calls();
            let (verb, call) = match found.lease.state {
                State::Open => ("cancel", calls.cancel(order)),
                _ => ("end", calls.end(order)),
            };
            match self.send(format!("{verb}:{label}"), call).await {
                Ok(_) => {}
                // The provider, or time, was faster.
                Err(error) if lost_race(&error) => {}
                Err(error) => return Err(of_send(error).in_call(&self.name, operation)),
            }
        }
        Err(self.moves(operation))
    }

    fn moves(&self, operation: Operation) -> Error {
        let (kind, status) = (ErrorKind::Unexpected, RetryStatus::Temporary);
        Error::new(&self.name, operation, kind, status, "the lease moves while it is looked at")
    }

    /// An offer in the words of every network; `None` when it can no longer be taken.
    fn offer(&self, posted: &Posted, found: OnChain, now: Timestamp) -> Option<Offer> {
        let until = moment(found.terms.available_until);
        if found.withdrawn || until <= now || found.terms.available_from > seconds(now) {
            return None;
        }
        let price = UsdPerHour::new(usd(found.terms.price_per_hour));
        Some(Offer {
            id: OfferRef { network: self.name.clone(), reference: posted.id.to_string() },
            provider: provider(posted.id),
            region: Some(posted.spec.region.clone()),
            hardware: posted.spec.hardware.clone(),
            price,
            quote: Quote { amount: price.to_string(), unit: "USD/h".to_owned(), conversion: None },
            fee: Usd::ZERO,
            billing: Billing::Metered { minimum: Millis::ZERO },
            firmness: Firmness::Firm,
            startup: posted.spec.startup,
            stock: Some(found.terms.units.saturating_sub(found.leased)),
            interruptible: false,
            assurance: Assurance::Claimed,
            seen_at: now,
            valid_until: Some(until),
            simulated: self.simulated,
        })
    }
}

fn shown(found: &Found) -> Observation {
    if let Some((at, used)) = found.ended() {
        return Observation::Ended { at, billed: found.price(used) };
    }
    let lease = &found.lease;
    match (lease.started_at, lease.order.as_ref().and_then(|order| provider(order.offer))) {
        (Some(since), Some(provider)) => Observation::Live {
            provider,
            region: lease.region.clone(),
            assurance: Assurance::Claimed,
            since,
            until: lease.until(),
        },
        _ => Observation::Queued,
    }
}

fn is_live(found: &Found) -> bool {
    found.lease.state == State::Active && found.ended().is_none()
}

/// A provider's name is its address.
fn provider(offer: OfferId) -> Option<ProviderName> {
    offer.provider().to_string().to_ascii_lowercase().parse().ok()
}
