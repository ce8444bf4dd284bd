//! What may be done to a call.

/// The place of a call in a scene: its name, and which of that name.
pub type Place = (String, usize);

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// It reaches dockerd a second late.
    Delay,
    /// It reaches dockerd when whoever made a short call has given up waiting.
    Hang,
    /// The connection is cut before dockerd hears of it.
    CutBefore,
    /// dockerd has done it, and the connection is cut before the answer.
    CutAfter,
    /// The connection is cut in the middle of the answer.
    CutInside,
    /// dockerd does not do it, and answers with this status.
    Status(u16),
    /// dockerd has done it, and the answer is not HTTP.
    Garbage,
    /// All event streams are cut at that moment.
    DropEvents,
    /// Whoever made the call, or the agent, is killed.
    Kill(Whom, When),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    Agent,
    Caller,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// dockerd never hears of the call.
    Before,
    /// dockerd has done it.
    After,
    /// dockerd hears of it when the next agent has looked already.
    Late,
}
