//! One transaction, or one step of a replay, for each act.

use chain::B256;
use chain::sender::Call;

use super::decide::{Act, Found};
use super::error::ValidatorError;
use super::examine::Task;
use super::state::Word;
use super::{Validator, points};
use crate::party::hand::Sent;

impl Validator {
    /// Does it. Whether something has changed, so that it is worth to look again at once.
    pub(super) async fn act(&mut self, act: Act) -> Result<bool, ValidatorError> {
        let me = self.address();
        let calls = self.link.calls();
        match act {
            Act::Deposit { amount } => {
                // Allowed first: repeated after a crash, it allows the same.
                Ok(self.pay("approve", &self.link.approve(amount)).await?
                    && self.pay("deposit", &calls.deposit(amount)).await?)
            }
            Act::Stake { amount } => self.pay("stake", &calls.stake(amount)).await,
            Act::Join { units } => self.pay("join", &calls.join(units)).await,
            Act::Leave => self.pay("leave", &calls.leave()).await,
            Act::Depart => self.pay("depart", &calls.depart(me)).await,
            Act::Unbond { amount } => self.pay("unbond", &calls.unbond(amount)).await,
            Act::Claim => self.pay("claim", &calls.claim_unbonded()).await,
            Act::Withdraw { amount } => {
                let to = self.config.withdraw_to.unwrap_or(me);
                self.pay("withdraw", &calls.withdraw(amount, to)).await
            }
            Act::Replay { proof, seed } => Ok(self.start(proof, seed)),
            Act::Keep { proof, found } => self.keep(proof, found).map(|()| true),
            Act::Commit { proof, word } => {
                self.probe.reached(points::COMMIT_BEFORE)?;
                let hash = self.link.finding_hash(proof, me, &word);
                let done = self.pay(&format!("finding:{proof}"), &calls.commit_finding(proof, hash)).await?;
                self.probe.reached(points::COMMIT_AFTER)?;
                Ok(done)
            }
            Act::Reveal { proof, word } => {
                self.probe.reached(points::REVEAL_BEFORE)?;
                let Word { finding, result, salt } = word;
                let call = calls.reveal_finding(proof, finding, result, salt);
                let done = self.pay(&format!("reveal:{proof}"), &call).await?;
                self.probe.reached(points::REVEAL_AFTER)?;
                Ok(done)
            }
            Act::Conclude { proof } => self.conclude(proof).await,
            Act::Forget { proof } => {
                self.replays.drop(proof);
                self.state.proofs.remove(&proof);
                self.save().map(|()| true)
            }
        }
    }

    async fn pay(&self, key: &str, call: &Call) -> Result<bool, ValidatorError> {
        Ok(self.hand.send(key, call).await? == Sent::Mined)
    }

    fn start(&mut self, proof: B256, seed: B256) -> bool {
        let Some(seen) = self.state.proofs.get(&proof) else { return false };
        let task = Task {
            id: proof,
            asked: seen.asked.clone(),
            seed,
            contact: seen.contact.clone(),
            signer: self.signer.clone(),
            clock: self.clock.clone(),
            replayer: self.replayer.clone(),
            objects: self.folder.objects(),
        };
        tracing::info!(%proof, "drawn: the states are asked for");
        self.replays.start(task);
        false
    }

    /// Writes down what was found, for good, before anything is said of it.
    fn keep(&mut self, proof: B256, found: Found) -> Result<(), ValidatorError> {
        let mut salt = [0; 32];
        self.entropy.fill(&mut salt);
        let Some(seen) = self.state.proofs.get_mut(&proof) else { return Ok(()) };
        if seen.word.is_none() {
            tracing::info!(%proof, finding = found.finding.code(), "a finding");
            let Found { finding, result } = found;
            seen.word = Some(Word { finding, result: B256::from(result), salt: B256::from(salt) });
        }
        self.probe.reached(points::KEEP_BEFORE)?;
        self.save()?;
        self.replays.drop(proof);
        self.probe.reached(points::KEEP_AFTER)?;
        Ok(())
    }

    async fn conclude(&mut self, proof: B256) -> Result<bool, ValidatorError> {
        let Some(asked) = self.state.proofs.get(&proof).map(|seen| seen.asked.clone()) else {
            return Ok(false);
        };
        let Some(call) = self.link.conclude(&asked).await? else {
            tracing::warn!(%proof, "its lease is not on the market, so it cannot be concluded");
            return Ok(false);
        };
        self.pay(&format!("conclude:{proof}"), &call).await
    }
}
