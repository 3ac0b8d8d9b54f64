//! Delivers a message from quarantine, once. It is marked before its first octet leaves and after it was taken: what ends
//! in between leaves it marked as uncertain, and it is never sent twice unasked.

use std::sync::Arc;

use super::{Desk, OrderError, Request, Way, aside, change};
use crate::delivery::letter::{Letter, Outcome};
use crate::delivery::session::{Connection, Manners, Peer};
use crate::event::session_event::SessionEvent;
use crate::gateway::hops::HopCounter;
use crate::model::decision::MessageAction;
use crate::model::message_octets::MessageOctets;
use crate::model::queued_message::{KeptJudgement, QueuedMessage};
use crate::model::queued_recipient::{RecipientState, RemoteReply, RemoteStage};
use crate::model::server_tls::ServerTls;
use crate::model::session_id::MessageId;
use crate::quarantine::entry::{Entry, Release};
use crate::spool::error::SpoolError;
use crate::spool::intake::Intake;
use crate::spool::place::Place;

/// Octets that are copied at a time.
const BLOCK: usize = 256 << 10;

/// Releases a message; gives what was done.
pub(super) async fn release(desk: &Desk, id: MessageId, request: &Request) -> Result<String, OrderError> {
    let store = desk.store.clone();
    let (claim, entry, body) = aside(move || {
        let claim = store.claim(id)?;
        let entry = claim.entry()?.clone();
        let body = claim.body()?;
        Ok((claim, entry, body))
    })
    .await?;
    match &entry.release {
        Release::Released { to, reply, .. } => {
            return Err(OrderError::Already { to: to.clone(), reply: reply.clone() });
        }
        Release::Releasing { to, .. } if !request.again => {
            return Err(OrderError::Uncertain { to: to.clone() });
        }
        Release::Releasing { .. } | Release::Held => {}
    }
    let resource = entry.peers.resource.clone();
    let way =
        desk.ways.get(&resource).ok_or_else(|| OrderError::NoResource { resource: resource.clone() })?;
    let to = match way {
        Way::Spool(_) => "the spool".to_owned(),
        Way::Direct(_) => entry.next_hop.to_string(),
        Way::Shut(why) => return Err(OrderError::Shut { resource, why: why.clone() }),
    };
    let now = desk.clock.unix_micros();
    let releasing = Release::Releasing { since: now, to: to.clone() };
    let mut claim = change(claim, move |entry| entry.release = releasing).await?;
    let body: Arc<dyn MessageOctets> = Arc::from(body);
    let recipients = pending(&entry);
    let outcome = match way {
        Way::Spool(spool) => into_spool(spool, &entry, body, &request.who, now).await,
        Way::Direct(manners) => {
            let (answered, outcome) = to_next_hop(manners, &entry, body, now).await;
            // Who has it gets it no second time, whatever the others said.
            claim = change(claim, move |entry| {
                for (index, state) in answered {
                    if let Some(recipient) = entry.recipients.get_mut(index) {
                        recipient.state = state;
                    }
                }
            })
            .await?;
            outcome
        }
        Way::Shut(_) => Ok(String::new()),
    };
    match outcome {
        Ok(reply) => {
            let released =
                Release::Released { at: desk.clock.unix_micros(), to: to.clone(), reply: reply.clone() };
            change(claim, move |entry| entry.release = released).await?;
            let why = format!("by {} from quarantine to {to}: {reply}", request.who);
            desk.record(id, Some(&entry), "released", recipients, why).await;
            Ok(format!("released to {to}: {reply}"))
        }
        // It stays marked.
        Err(error @ OrderError::Uncertain { .. }) => Err(error),
        Err(error) => {
            change(claim, |entry| entry.release = Release::Held).await?;
            Err(error)
        }
    }
}

fn pending(entry: &Entry) -> Vec<String> {
    let pending = entry.recipients.iter().filter(|recipient| recipient.state.is_pending());
    pending.map(|recipient| recipient.path.clone()).collect()
}

/// As it is handed on: judged, and to be tried as if it had just come.
fn queued(entry: &Entry, who: &str, hops: u32, now: u64) -> QueuedMessage {
    let engines = entry.engines.iter().filter_map(|event| match event {
        SessionEvent::Engine { engine, version, .. } => {
            Some((engine.clone(), version.clone().unwrap_or_default()))
        }
        _ => None,
    });
    let mut decision = entry.decision.clone();
    decision.action = MessageAction::Pass;
    decision.why = format!("released by {who}: {}", decision.why);
    let recipients = entry.recipients.iter().filter(|recipient| recipient.state.is_pending());
    QueuedMessage {
        id: entry.id,
        // Its time in quarantine is no delay of delivery.
        received: now,
        originator: entry.peers.originator,
        destination: entry.peers.next_hop,
        rule: entry.peers.rule,
        rule_name: entry.peers.rule_name.clone(),
        policy: entry.peers.policy,
        resource: entry.peers.resource.clone(),
        sender: entry.sender.clone(),
        recipients: recipients.cloned().collect(),
        octets: entry.octets,
        sha256: entry.sha256.clone(),
        trace: entry.trace.clone(),
        hops,
        judgement: Some(KeptJudgement {
            decision,
            at: now,
            in_dialogue: false,
            engines: engines.collect(),
            by_hand: true,
        }),
        attempts: 0,
        last_attempt: None,
        hold: None,
        reroute: None,
        about: None,
        version: 1,
    }
}

async fn into_spool(
    spool: &Intake,
    entry: &Entry,
    body: Arc<dyn MessageOctets>,
    who: &str,
    now: u64,
) -> Result<String, OrderError> {
    let id = entry.id;
    let taking = spool.clone();
    let written = aside(move || {
        let mut incoming = taking.begin(id)?;
        let (mut hops, mut room, mut offset) = (HopCounter::default(), vec![0; BLOCK], 0);
        while offset < body.len() {
            let count = body
                .read_at(offset, &mut room)
                .map_err(|source| SpoolError::Damaged { id, why: format!("it cannot be read: {source}") })?;
            let block = room.get(..count).unwrap_or_default();
            if block.is_empty() {
                break;
            }
            hops.push(block);
            incoming.write(block)?;
            offset += count as u64;
        }
        Ok((incoming, hops.count()))
    })
    .await;
    let (incoming, hops) = match written {
        // An earlier release was cut off behind this point. Of a message that was rewritten, it may be the other form.
        Err(OrderError::Spool(SpoolError::Exists { .. })) if !entry.original => {
            return Ok(format!("queued as {id}"));
        }
        written => written?,
    };
    spool.commit(incoming, queued(entry, who, hops, now), Place::Active).await?;
    Ok(format!("queued as {id}"))
}

/// What each recipient's case came to, and what all together did.
type Answered = (Vec<(usize, RecipientState)>, Result<String, OrderError>);

async fn to_next_hop(manners: &Manners, entry: &Entry, body: Arc<dyn MessageOctets>, now: u64) -> Answered {
    let address = entry.next_hop;
    let mut manners = manners.clone();
    if entry.in_tls && !manners.server_tls.is_mandatory() {
        // It came for a next hop that was spoken to in TLS: it does not go there in plaintext.
        manners.server_tls = ServerTls::Required;
    }
    let message = queued(entry, "", 0, now);
    let mut left: Vec<usize> =
        entry.recipients.iter().enumerate().filter(|(_, it)| it.state.is_pending()).map(|(i, _)| i).collect();
    let peer = Peer::new(address.ip().to_string(), address);
    let mut connection = match Connection::open(peer, &manners).await {
        Ok(connection) => connection,
        Err(no) => return (Vec::new(), Err(OrderError::NotTaken { why: said(&no.failure.reply) })),
    };
    let message = QueuedMessage { recipients: entry.recipients.clone(), ..message };
    let (mut answered, mut refused, mut uncertain, mut taken) =
        (Vec::new(), Vec::new(), false, String::new());
    while !left.is_empty() && connection.is_usable() {
        let letter = Letter::new(&message, &left, Arc::clone(&body));
        let mut rest = Vec::new();
        for (index, outcome) in left.iter().copied().zip(connection.send(&letter).await) {
            match outcome {
                Outcome::Delivered { reply, relayed_dsn } => {
                    taken = format!("{} {}", reply.code, reply.text);
                    answered.push((index, RecipientState::Delivered { at: now, reply, relayed_dsn }));
                }
                Outcome::TooMany(_) if left.len() > 1 => rest.push(index),
                Outcome::TooMany(failure) | Outcome::NotDelivered(failure) => {
                    // The whole message was sent, and no answer came.
                    uncertain |= failure.reply.stage == RemoteStage::Final && failure.reply.code == 0;
                    let path = message.recipients.get(index).map_or("", |recipient| recipient.path.as_str());
                    refused.push(format!("<{path}>: {}", said(&failure.reply)));
                }
            }
        }
        // More are sent only if that leads anywhere.
        left = if rest.len() < left.len() { rest } else { Vec::new() };
    }
    refused.extend(
        left.iter().filter_map(|index| message.recipients.get(*index)).map(|it| format!("<{}>", it.path)),
    );
    connection.quit().await;
    let outcome = match (uncertain, refused.is_empty()) {
        (true, _) => Err(OrderError::Uncertain { to: address.to_string() }),
        (false, true) => Ok(taken),
        (false, false) => Err(OrderError::NotTaken { why: refused.join("; ") }),
    };
    (answered, outcome)
}

fn said(reply: &RemoteReply) -> String {
    let by = if reply.by.is_empty() { String::new() } else { format!("{} ", reply.by) };
    let code = if reply.code == 0 { String::new() } else { format!("{} ", reply.code) };
    format!("{by}{code}{}", reply.text)
}
