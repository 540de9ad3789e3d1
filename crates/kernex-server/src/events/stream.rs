//! Watching events over a WebSocket.
//!
//! Nothing is queued for a client: it reads the table from its own number on, a page at a time, as fast as it takes the
//! messages. One that does not take them, or does not answer pings, is cut off and comes back with its last number.

use std::time::Duration;

use axum::{
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    response::Response,
};
use kernex_api::events::EventMessage;
use kernex_store::{EventFilter, SessionKey};
use tokio::time::Instant;

use super::{feed::Place, is_shown, to_api};
use crate::{
    AppState,
    auth::CurrentUser,
    error::{ApiError, ApiResult},
};

const PAGE: u32 = 100;
const PING_EVERY: Duration = Duration::from_secs(30);
/// A client that has not been heard for so long is gone.
const SILENT_AFTER: Duration = Duration::from_secs(75);
/// Then a client connects again, and proves anew who it is.
const OPEN_FOR: Duration = Duration::from_secs(3_600);
const SEND_WITHIN: Duration = Duration::from_secs(10);
/// Clients have nothing to say but pongs.
const MAX_MESSAGE_BYTES: usize = 4 * 1024;

struct Watcher {
    state: AppState,
    user: CurrentUser,
    filter: EventFilter,
    after: u64,
    _place: Place,
}

/// Why watching ended.
enum End {
    /// The client has gone, or is too slow.
    Gone,
    /// The server stops, or cannot read.
    Away,
    /// The login has ended.
    LoggedOut,
}

pub(super) async fn open(
    state: AppState,
    user: CurrentUser,
    upgrade: WebSocketUpgrade,
    filter: EventFilter,
    after: Option<u64>,
) -> ApiResult<Response> {
    let place = state.events().take_place(user.user().id);
    let place =
        place.ok_or_else(|| ApiError::rate_limited("too many connections watch events already", 30))?;
    state.store().number_events().await?;
    let after = match after {
        Some(after) => after,
        None => state.store().last_event_seq().await?,
    };
    let watcher = Watcher { state, user, filter, after, _place: place };
    let upgrade = upgrade.max_message_size(MAX_MESSAGE_BYTES).max_frame_size(MAX_MESSAGE_BYTES);
    Ok(upgrade.on_upgrade(|socket| watcher.serve(socket)))
}

impl Watcher {
    async fn serve(mut self, mut socket: WebSocket) {
        let end = match self.watch(&mut socket).await {
            Ok(()) => return,
            Err(end) => end,
        };
        let (code, reason) = match end {
            End::Gone => return,
            End::Away => (close_code::AWAY, "connect again"),
            End::LoggedOut => (close_code::POLICY, "the login has ended"),
        };
        let frame = CloseFrame { code, reason: reason.into() };
        let _ = tokio::time::timeout(SEND_WITHIN, socket.send(Message::Close(Some(frame)))).await;
    }

    async fn watch(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let closing = self.state.events().closing();
        let mut latest = self.state.events().subscribe();
        let mut pings = tokio::time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        let mut heard_at = Instant::now();
        let mut until = std::pin::pin!(tokio::time::sleep(OPEN_FOR));
        say(socket, &EventMessage::Hello { after: self.after }).await?;
        self.say_gap(socket).await?;
        self.say_events(socket).await?;
        loop {
            tokio::select! {
                () = closing.cancelled() => return Err(End::Away),
                () = &mut until => return Err(End::Away),
                message = socket.recv() => match message {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                    Some(Ok(_)) => heard_at = Instant::now(),
                },
                changed = latest.changed() => {
                    changed.map_err(|_| End::Away)?;
                    self.say_events(socket).await?;
                }
                _ = pings.tick() => {
                    if heard_at.elapsed() > SILENT_AFTER {
                        return Err(End::Gone);
                    }
                    self.require_login().await?;
                    send(socket, Message::Ping(Vec::<u8>::new().into())).await?;
                }
            }
        }
    }

    /// Events that retention has removed are told of, because nobody else will.
    async fn say_gap(&self, socket: &mut WebSocket) -> Result<(), End> {
        let oldest = self.state.store().oldest_event_seq().await.map_err(away)?;
        match oldest {
            Some(oldest) if oldest > self.after + 1 => {
                say(socket, &EventMessage::Gap { oldest_event_id: oldest }).await
            }
            _ => Ok(()),
        }
    }

    async fn say_events(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        loop {
            let (store, org) = (self.state.store(), self.user.org());
            let page = store.list_events_after(org, &self.filter, self.after, PAGE).await.map_err(away)?;
            let is_last = page.len() < PAGE as usize;
            for record in page {
                let seq = record.seq;
                if is_shown(&self.state, &self.user, &record).await.map_err(|_| End::Away)? {
                    say(socket, &EventMessage::Event { event: to_api(record) }).await?;
                }
                self.after = seq;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn require_login(&self) -> Result<(), End> {
        // An API key is checked when the connection is made anew, which is often enough.
        let Some(id) = self.user.session_id() else { return Ok(()) };
        let now = self.state.now();
        let idle_since = now.plus_secs(-i64::from(self.state.settings().session_idle_secs));
        let (key, org) = (SessionKey::Id(id), Some(self.user.org()));
        let session = self.state.store().find_session(key, org, idle_since, now).await;
        match session {
            Ok(Some(found)) if found.standing.is_some() => Ok(()),
            Ok(_) => Err(End::LoggedOut),
            Err(error) => Err(away(error)),
        }
    }
}

fn away(error: kernex_store::Error) -> End {
    tracing::debug!(error = %error, "a watcher of events is sent away");
    End::Away
}

async fn say(socket: &mut WebSocket, message: &EventMessage) -> Result<(), End> {
    let text = serde_json::to_string(message).map_err(|_| End::Away)?;
    send(socket, Message::Text(text.into())).await
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    match tokio::time::timeout(SEND_WITHIN, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(End::Gone),
    }
}
