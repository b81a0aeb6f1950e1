//! Buying: once per label, at the price that was offered.

use domain::ProviderName;

use super::auction;
use super::lease::{Lease, Phase, Seat};
use super::network::{Call, SimNetwork};
use super::order::{Order, Wanted};
use crate::{Boot, Error, ErrorKind};

impl SimNetwork {
    /// Buys once, or accepts a bid once.
    pub(super) async fn buy(&self, call: &mut Call<'_>, order: Order, boot: Boot) -> Result<(), Error> {
        let lease = call.books.get(&order.label).cloned();
        match (&order.what, lease) {
            (Wanted::Listing { .. }, None) => self.buy_new(call, order, &boot)?,
            (Wanted::Listing { .. }, Some(mut lease)) => {
                if !self.shop.capability.idempotency && lease.is_open() && call.now < lease.visible_at {
                    // A network that does not see repetitions looks whether it lists the label, and it does not yet.
                    lease.purchases += 1;
                    self.put(&mut call.books, lease).map_err(|e| self.unwritten(call.operation, e))?;
                }
            }
            (Wanted::Bid { .. }, None) => {
                return Err(self.refuse(call, ErrorKind::NotFound, "no such request"));
            }
            (Wanted::Bid { provider }, Some(lease)) => self.accept(call, lease, &order, &provider.clone())?,
        }
        let now = call.now;
        let advanced = self.advance(&mut call.books, now).await;
        advanced.map_err(|e| self.unwritten(call.operation, e))
    }

    fn buy_new(&self, call: &mut Call<'_>, order: Order, boot: &Boot) -> Result<(), Error> {
        let Wanted::Listing { reference, quoted_at } = &order.what else { return Ok(()) };
        let habits = &self.shop.config.habits;
        let Some(listing) = self.shop.listings.get(reference) else {
            return Err(self.refuse(call, ErrorKind::NotFound, "no such offer"));
        };
        if !self.shop.still_valid(*quoted_at, call.now) {
            return Err(self.refuse(call, ErrorKind::Refused, "the offer is no longer valid"));
        }
        if self.strikes(call, habits.no_capacity, "no_capacity") {
            return Err(self.refuse(call, ErrorKind::NoCapacity, "nothing is left"));
        }
        if self.strikes(call, habits.lost_race, "lost_race") {
            return Err(self.refuse(call, ErrorKind::LostRace, "somebody else was faster"));
        }
        let opened = self.kind.open(&self.shop, &call.books, &order, call.now);
        let phase = opened.map_err(|kind| self.refuse(call, kind, "it is not to be had"))?;
        let lease = Lease {
            listing: reference.clone(),
            bought_at: call.now,
            visible_at: call.now + self.shop.fate(&order.label).hidden_for,
            span: order.span,
            ceiling: order.ceiling,
            price: self.shop.price(listing, *quoted_at),
            fee: self.shop.fee,
            billing: listing.billing,
            purchases: 1,
            withdrawn: Vec::new(),
            phase,
            due: None,
            label: order.label,
        };
        if lease.committed() > call.books.left_of(self.shop.config.funds) && self.shop.takes_funds() {
            return Err(self.refuse(call, ErrorKind::InsufficientFunds, "our account there is spent"));
        }
        let kept = call.books.journal.boot_put(&lease.label, boot);
        let put = kept.and_then(|()| self.put(&mut call.books, lease));
        put.map_err(|e| self.unwritten(call.operation, e))
    }

    fn accept(
        &self,
        call: &mut Call<'_>,
        mut lease: Lease,
        order: &Order,
        provider: &ProviderName,
    ) -> Result<(), Error> {
        match &lease.phase {
            Phase::Bidding { .. } => {}
            Phase::Live(seat) | Phase::Ended { seat: Some(seat), .. } if seat.provider == *provider => {
                return Ok(());
            }
            Phase::Live(_) => {
                return Err(self.refuse(call, ErrorKind::InvalidInput, "another bid was accepted"));
            }
            _ => return Err(self.refuse(call, ErrorKind::LostRace, "the request is closed")),
        }
        let bid = auction::bid_of(&self.shop, &call.books, &lease, provider, call.now);
        let bid = bid.filter(|bid| bid.price <= order.ceiling);
        let withdrawn = self.strikes(call, self.shop.config.habits.lost_race, "lost_race");
        let Some(bid) = bid.filter(|_| !withdrawn) else {
            lease.withdrawn.push(provider.to_string());
            self.put(&mut call.books, lease).map_err(|e| self.unwritten(call.operation, e))?;
            return Err(self.refuse(call, ErrorKind::LostRace, "the bid was withdrawn"));
        };
        lease.price = bid.price;
        let until = self.until(&lease.billing, lease.span, call.now);
        lease.phase = Phase::Live(Seat { until, ..Seat::new(provider.clone(), call.now) });
        self.put(&mut call.books, lease).map_err(|e| self.unwritten(call.operation, e))
    }
}
