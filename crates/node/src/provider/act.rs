//! One transaction, or one step of an agent, for each act.

use chain::B256;
use chain::sender::Call;
use market::Boot;
use wire::agent::{Receiver, hex_of};

use super::boot::{Delegated, boot};
use super::decide::{Act, Agent, View};
use super::error::ProviderError;
use super::state::label_of;
use super::{Fault, Provider};
use crate::party::hand::Sent;

/// An agent has committed to enough.
pub(super) fn is_time_to_die(view: &View, leaves: u32) -> bool {
    let enough = |signed: super::decide::Signed| signed.leaf_count >= leaves;
    view.leases.iter().any(|lease| lease.agent == Agent::Alive && lease.signed.is_some_and(enough))
}

impl Provider {
    /// Does it. Whether something has changed, so that it is worth to look again at once.
    pub(super) async fn act(&mut self, act: Act) -> Result<bool, ProviderError> {
        let (calls, token) = (self.market.calls(), self.market.token_calls());
        match act {
            Act::Approve { amount } => {
                self.pay("approve", &token.approve(self.market.address(), amount)).await
            }
            Act::Deposit { amount } => self.pay("deposit", &calls.deposit(amount)).await,
            Act::Stake { amount } => self.pay("stake", &calls.stake(amount)).await,
            Act::PostOffer { offer, terms } => {
                let spec = self.wish.spec.to_bytes().map_err(ProviderError::Spec)?;
                self.pay(&format!("offer:{offer}"), &calls.post_offer(offer, &terms, spec)).await
            }
            Act::WithdrawOffer { offer } => {
                self.pay(&format!("withdraw-offer:{offer}"), &calls.withdraw_offer(offer)).await
            }
            Act::Withdraw { amount, to, asked: None } => {
                self.pay("withdraw", &calls.withdraw(amount, to)).await
            }
            Act::Withdraw { amount, to, asked: Some(id) } => {
                self.meet_request(&id, &calls.withdraw(amount, to)).await
            }
            Act::DropWithdrawal => {
                tracing::warn!("there is nothing to withdraw");
                self.request_is_met().map(|()| false)
            }
            Act::Accept { lease } => self.accept(lease).await,
            Act::Cancel { lease, why } => {
                tracing::info!(%lease, %why, "an order is turned away");
                self.about(lease, "cancel", |calls, order| calls.cancel(order)).await
            }
            Act::Commit { lease, signed } => {
                self.keep_canary(lease)?;
                let call = |calls: chain::market::Calls, order: &_| {
                    calls.commit(order, signed.root, signed.leaf_count)
                };
                self.about(lease, "commit", call).await
            }
            Act::Excuse { lease, excuse } => {
                let Some(notary) = &self.notary else { return Ok(false) };
                let call = notary.calls().excuse(&excuse.request, excuse.word);
                self.pay(&format!("excuse:{lease}"), &call).await
            }
            Act::Refund { lease } => self.about(lease, "refund", |calls, order| calls.refund(order)).await,
            Act::Expire { lease } => self.about(lease, "expire", |calls, order| calls.expire(order)).await,
            Act::Start { lease } => self.start(lease).await,
            Act::Kill { lease } => Ok(self.kill(lease).await),
            Act::Forget { lease } => self.forget(lease).await,
        }
    }

    /// Kills every agent that was started here.
    pub(super) async fn kill_all(&self) {
        for lease in self.state.leases.keys() {
            self.kill(*lease).await;
        }
    }

    async fn pay(&self, key: &str, call: &Call) -> Result<bool, ProviderError> {
        Ok(self.hand.send(key, call).await? == Sent::Mined)
    }

    /// A transaction about a lease.
    async fn about(
        &self,
        lease: B256,
        what: &str,
        call: impl FnOnce(chain::market::Calls, &chain::market::Order) -> Call,
    ) -> Result<bool, ProviderError> {
        let Some(seen) = self.state.leases.get(&lease) else { return Ok(false) };
        let call = call(self.market.calls(), &seen.order);
        self.pay(&format!("{what}:{lease}"), &call).await
    }

    async fn accept(&mut self, lease: B256) -> Result<bool, ProviderError> {
        let Some(seen) = self.state.leases.get(&lease) else { return Ok(false) };
        let call = self.market.calls().accept(&seen.order);
        match self.hand.send(&format!("accept:{lease}"), &call).await? {
            Sent::Mined => Ok(true),
            Sent::Later => Ok(false),
            Sent::Refused(why) => {
                if let Some(seen) = self.state.leases.get_mut(&lease) {
                    seen.refused = Some(why);
                }
                self.save().map(|()| true)
            }
        }
    }

    /// Sends what the owner asked for, then removes the request: until then the key stands for it.
    async fn meet_request(&self, id: &str, call: &Call) -> Result<bool, ProviderError> {
        let key = format!("withdraw:{id}");
        let sent = self.hand.send_once(&key, call).await;
        if sent == Sent::Later {
            return Ok(false);
        }
        self.request_is_met()?;
        self.hand.forget(&key).await?;
        Ok(sent == Sent::Mined)
    }

    fn request_is_met(&self) -> Result<(), ProviderError> {
        let failed = |source| ProviderError::File { path: self.folder.path().to_owned(), source };
        self.folder.withdrawal_done().map_err(failed)
    }

    /// Starts the agent, or finds the one that was started before. That it is about to is kept first: an agent that nobody
    /// knows of must not outlive its lease.
    async fn start(&mut self, lease: B256) -> Result<bool, ProviderError> {
        let label = label_of(lease);
        let Some(boot) = self.boot(lease)? else { return Ok(false) };
        self.change(lease, |seen| seen.starting = true)?;
        match self.machine.start(&label, &boot).await {
            Ok(machine) => {
                tracing::info!(%lease, %label, pid = machine.pid, "an agent is started");
                self.change(lease, |seen| {
                    seen.starting = false;
                    seen.agent = Some(machine);
                })?;
                Ok(true)
            }
            Err(error) => {
                tracing::warn!(%lease, error = domain::chain(&error), "an agent could not be started");
                self.change(lease, |seen| {
                    seen.starting = false;
                    seen.start_failures = seen.start_failures.saturating_add(1);
                })?;
                Ok(false)
            }
        }
    }

    fn boot(&self, lease: B256) -> Result<Option<Boot>, ProviderError> {
        let Some(seen) = self.state.leases.get(&lease) else { return Ok(None) };
        let Some(contact) = &seen.contact else { return Ok(None) };
        let receiver = self.notary.as_ref().map(|notary| Receiver {
            account: seen.order.consumer.to_checksum(None),
            domain: hex_of(&notary.digests().separator().0),
        });
        let agent = self.folder.agent_key(&label_of(lease), self.entropy.as_ref())?;
        let fault = match &self.fault {
            Some(Fault::Fabricate { segments }) => {
                Some(wire::agent::Fault::Fabricate { segments: segments.clone() })
            }
            Some(Fault::Canary) => Some(self.canary_order()),
            Some(Fault::Die { .. }) | None => None,
        };
        let digests = self.market.digests();
        let delegated = Delegated { lease, agent: &agent, receiver, fault };
        boot(digests, &self.signer, delegated, contact).map(Some).map_err(ProviderError::Sign)
    }

    fn change(
        &mut self,
        lease: B256,
        change: impl FnOnce(&mut super::state::SeenLease),
    ) -> Result<(), ProviderError> {
        if let Some(seen) = self.state.leases.get_mut(&lease) {
            change(seen);
        }
        self.save()
    }

    async fn kill(&self, lease: B256) -> bool {
        let Some(machine) = self.state.leases.get(&lease).and_then(|seen| seen.agent) else { return false };
        match self.machine.kill(&label_of(lease), machine).await {
            Ok(()) => {
                tracing::info!(%lease, "its agent is ended");
                true
            }
            Err(error) => {
                tracing::warn!(%lease, error = domain::chain(&error), "an agent could not be ended");
                false
            }
        }
    }

    /// Removes what a lease left, its record last.
    async fn forget(&mut self, lease: B256) -> Result<bool, ProviderError> {
        let label = label_of(lease);
        self.keep_canary(lease)?;
        if let Err(error) = self.machine.forget(&label).await {
            tracing::warn!(%lease, error = domain::chain(&error), "what an agent left could not be removed");
            return Ok(false);
        }
        let failed = |source| ProviderError::File { path: self.folder.path().to_owned(), source };
        self.folder.forget_agent_key(&label).map_err(failed)?;
        self.state.leases.remove(&lease);
        self.save().map(|()| true)
    }
}
