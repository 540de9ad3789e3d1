//! Heartbeats that arrive at the same time share a commit on SQLite, and so one wait for the disk.
//!
//! Whoever waits for the disk lets others queue up; they become the next transaction. A heartbeat is answered after its commit.
//! PostgreSQL joins the commits of its connections by itself.

use tokio::sync::{mpsc, oneshot};

use super::{Heartbeat, HeartbeatOutcome, record_alone, record_in};
use crate::{
    Error, Result,
    sql::{Db, Tx},
};

/// Heartbeats that may wait; further ones wait for a place.
const QUEUE: usize = 4_096;
/// Heartbeats in one transaction.
const MAX_BATCH: usize = 512;

/// The way of heartbeats into a database with one writer. Ends with its last clone.
#[derive(Clone, Debug)]
pub(crate) struct HeartbeatLane(mpsc::Sender<Job>);

#[derive(Debug)]
struct Job {
    heartbeat: Heartbeat,
    answer: oneshot::Sender<Result<HeartbeatOutcome>>,
}

impl HeartbeatLane {
    pub(crate) fn open(db: Db) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        tokio::spawn(write_all(db, queue));
        Self(jobs)
    }

    pub(crate) async fn record(&self, heartbeat: Heartbeat) -> Result<HeartbeatOutcome> {
        let gone = || Error::Unavailable(sqlx::Error::PoolClosed);
        let (answer, answered) = oneshot::channel();
        self.0.send(Job { heartbeat, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

async fn write_all(db: Db, mut queue: mpsc::Receiver<Job>) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, MAX_BATCH).await > 0 {
        match write_together(&db, &batch).await {
            Ok(outcomes) => {
                for (job, outcome) in batch.drain(..).zip(outcomes) {
                    let _ = job.answer.send(outcome); // whoever asked may have gone away
                }
            }
            Err(Error::Unavailable(cause)) => {
                tracing::warn!(error = %cause, heartbeats = batch.len(), "heartbeats could not be stored");
                for job in batch.drain(..) {
                    let _ = job.answer.send(Err(Error::Unavailable(sqlx::Error::WorkerCrashed)));
                }
            }
            // One of them cannot be stored, and nobody's was: find out whose.
            Err(_) => {
                for job in batch.drain(..) {
                    let _ = job.answer.send(record_alone(&db, &job.heartbeat).await);
                }
            }
        }
    }
}

async fn write_together(db: &Db, batch: &[Job]) -> Result<Vec<Result<HeartbeatOutcome>>> {
    let mut tx = Tx::begin(db).await?;
    let mut outcomes = Vec::with_capacity(batch.len());
    for job in batch {
        outcomes.push(match record_in(&mut tx, &job.heartbeat).await {
            Err(Error::Replayed) => Err(Error::Replayed),
            other => Ok(other?),
        });
    }
    tx.commit().await?;
    Ok(outcomes)
}
