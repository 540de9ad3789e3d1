//! Walking a chain: every record's hash, its link to the one before, and no gap.

use crate::{
    OrganizationId,
    audit::{AuditCheckpoint, AuditRecord, FIRST_PREVIOUS_HASH},
};

/// SHA-256 as lower-case hex, by whoever has an implementation.
pub type Sha256 = fn(&[u8]) -> String;

/// What is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    /// A record is missing, or stands there twice.
    #[error("after record {after} comes record {found}: records are missing or out of order")]
    Gap {
        /// The record before.
        after: u64,
        /// The record found.
        found: u64,
    },
    /// A record's contents are not what was hashed.
    #[error("record {sequence} was changed: its contents do not have its hash")]
    Changed {
        /// Which.
        sequence: u64,
    },
    /// A record does not follow the one before.
    #[error("record {sequence} does not follow record {}: it names another hash before it", sequence - 1)]
    Unlinked {
        /// Which.
        sequence: u64,
    },
    /// A record belongs to another organisation.
    #[error("record {sequence} belongs to another organisation")]
    Foreign {
        /// Which.
        sequence: u64,
    },
    /// A checkpoint was signed over a record that is no longer there.
    #[error(
        "a checkpoint was signed over record {sequence}, but the chain ends with record {end}: its end was cut off"
    )]
    Cut {
        /// The checkpoint's record.
        sequence: u64,
        /// The last record.
        end: u64,
    },
    /// A checkpoint was signed over a record with another hash.
    #[error("record {sequence} is not the one that was signed by a checkpoint: the chain was made anew")]
    Replaced {
        /// Which.
        sequence: u64,
    },
    /// The chain's end is not where its head says.
    #[error("the chain ends with record {end}, but its head names record {head}")]
    Head {
        /// The last record.
        end: u64,
        /// What the head says.
        head: u64,
    },
}

/// Follows one organisation's chain, record by record.
#[derive(Clone, Debug)]
pub struct ChainVerifier {
    org_id: OrganizationId,
    sequence: u64,
    hash: String,
    sha256: Sha256,
    faults: Vec<ChainFault>,
    checkpoints: Vec<AuditCheckpoint>,
    confirmed: u64,
}

/// A chain with more faults than these has been seen enough of.
const MAX_FAULTS: usize = 100;

impl ChainVerifier {
    /// Begins after a record: 0 and [`FIRST_PREVIOUS_HASH`] for a whole chain, the anchor of one whose beginning was archived.
    /// Checkpoints whose signature is good are compared on the way.
    pub fn new(
        org_id: OrganizationId,
        after: Option<(u64, String)>,
        mut checkpoints: Vec<AuditCheckpoint>,
        sha256: Sha256,
    ) -> Self {
        let (sequence, hash) = after.unwrap_or_else(|| (0, FIRST_PREVIOUS_HASH.to_owned()));
        checkpoints.retain(|checkpoint| checkpoint.org_id == org_id && checkpoint.sequence > sequence);
        checkpoints.sort_by_key(|checkpoint| std::cmp::Reverse(checkpoint.sequence));
        Self { org_id, sequence, hash, sha256, faults: Vec::new(), checkpoints, confirmed: 0 }
    }

    /// The next record.
    pub fn push(&mut self, record: &AuditRecord) {
        self.push_hashed(record, &(self.sha256)(record.canonical_text().as_bytes()));
    }

    /// The next record, and the hash of what is stored of it.
    pub fn push_hashed(&mut self, record: &AuditRecord, hash: &str) {
        let sequence = record.sequence;
        if record.org_id != self.org_id {
            self.fault(ChainFault::Foreign { sequence });
        }
        if sequence != self.sequence + 1 {
            self.fault(ChainFault::Gap { after: self.sequence, found: sequence });
        } else if record.previous_hash != self.hash {
            self.fault(ChainFault::Unlinked { sequence });
        }
        if record.hash != hash {
            self.fault(ChainFault::Changed { sequence });
        }
        while self.checkpoints.last().is_some_and(|checkpoint| checkpoint.sequence <= sequence) {
            let Some(checkpoint) = self.checkpoints.pop() else { break };
            if checkpoint.sequence != sequence || checkpoint.hash != record.hash {
                self.fault(ChainFault::Replaced { sequence: checkpoint.sequence });
            } else {
                self.confirmed += 1;
            }
        }
        self.sequence = sequence;
        self.hash.clone_from(&record.hash);
    }

    /// The end: where the chain's head says that it is, when that is known. Gives what is wrong, in order.
    pub fn finish(mut self, head: Option<(u64, &str)>) -> Verified {
        if let Some(checkpoint) = self.checkpoints.first().cloned() {
            self.fault(ChainFault::Cut { sequence: checkpoint.sequence, end: self.sequence });
        }
        if let Some((head, hash)) = head
            && (head != self.sequence || hash != self.hash)
        {
            self.fault(ChainFault::Head { end: self.sequence, head });
        }
        Verified { sequence: self.sequence, hash: self.hash, confirmed: self.confirmed, faults: self.faults }
    }

    fn fault(&mut self, fault: ChainFault) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault);
        }
    }
}

/// What walking a chain gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The last record.
    pub sequence: u64,
    /// Its hash.
    pub hash: String,
    /// How many checkpoints fit the records that they were signed over.
    pub confirmed: u64,
    /// What is wrong; nothing when the chain is whole.
    pub faults: Vec<ChainFault>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    /// Not SHA-256, which this crate does not have: enough to tell texts apart.
    fn sum(bytes: &[u8]) -> String {
        let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("{sum:064x}")
    }

    fn chain(length: u64) -> Vec<AuditRecord> {
        let mut previous = FIRST_PREVIOUS_HASH.to_owned();
        (1..=length)
            .map(|sequence| {
                let mut record = AuditRecord { sequence, ..super::super::tests::record() };
                record.previous_hash.clone_from(&previous);
                record.hash = sum(record.canonical_text().as_bytes());
                previous.clone_from(&record.hash);
                record
            })
            .collect()
    }

    fn checkpoint(record: &AuditRecord) -> AuditCheckpoint {
        AuditCheckpoint {
            org_id: record.org_id,
            sequence: record.sequence,
            hash: record.hash.clone(),
            signed_at: Timestamp::from_millis(0),
            key_id: String::new(),
            signature: String::new(),
        }
    }

    fn verify(records: &[AuditRecord], checkpoints: Vec<AuditCheckpoint>) -> Vec<ChainFault> {
        let mut verifier = ChainVerifier::new(OrganizationId::DEFAULT, None, checkpoints, sum);
        for record in records {
            verifier.push(record);
        }
        verifier.finish(None).faults
    }

    #[test]
    fn a_whole_chain_has_no_fault_and_every_cut_has_one() {
        let chain = chain(5);
        let signed = vec![checkpoint(&chain[1]), checkpoint(&chain[4])];
        assert_eq!(verify(&chain, signed.clone()), []);
        assert_eq!(verify(&chain[..4], signed.clone()), [ChainFault::Cut { sequence: 5, end: 4 }]);
        assert_eq!(verify(&chain[1..], vec![])[0], ChainFault::Gap { after: 0, found: 2 });
        let mut gap = chain.clone();
        gap.remove(2);
        assert_eq!(verify(&gap, vec![]), [ChainFault::Gap { after: 2, found: 4 }]);
        let mut swapped = chain;
        swapped.swap(2, 3);
        assert!(!verify(&swapped, vec![]).is_empty());
    }

    #[test]
    fn a_chain_that_was_made_anew_does_not_fit_its_checkpoints() {
        let old = chain(3);
        let mut anew = chain(3);
        let mut previous = FIRST_PREVIOUS_HASH.to_owned();
        for record in &mut anew {
            record.action = "nothing.happened".to_owned();
            record.previous_hash.clone_from(&previous);
            record.hash = sum(record.canonical_text().as_bytes());
            previous.clone_from(&record.hash);
        }
        assert_eq!(verify(&anew, vec![]), [], "without checkpoints nobody can tell");
        assert_eq!(verify(&anew, vec![checkpoint(&old[1])]), [ChainFault::Replaced { sequence: 2 }]);
    }

    #[test]
    fn a_changed_record_is_named() {
        let mut chain = chain(3);
        chain[1].address = None;
        assert_eq!(verify(&chain, vec![]), [ChainFault::Changed { sequence: 2 }]);
        chain[1].hash = sum(chain[1].canonical_text().as_bytes());
        assert_eq!(verify(&chain, vec![]), [ChainFault::Unlinked { sequence: 3 }]);
    }
}
