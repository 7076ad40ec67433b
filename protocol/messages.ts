// Every message that actors exchange: one discriminated union, so that a handler's switch is checked to be exhaustive.
import type { Carry, FileIdentity, OpenCarry, Position } from './positions.js'
import type { SettingsOrigin } from './control/settings.js'
import type { ControlAnswer, ControlEnvelope } from './control/verbs.js'
import type { AuditFrame } from './audit.js'
import type { LogType } from './levels.js'
import type { Boost, BoostOutcome, SamplingStatus, ServiceCounts, ServiceInfo } from './traffic.js'
import type { PodEventText, PodFacts } from './pod.js'

/** Where records come from and what the host knows about them; sent by a source before the origin's first slab, and again when labels arrive. */
export interface Origin {
  /** Small integer, unique in the node while the origin is open (allocated by `originIds` of the source's context). */
  readonly id: number
  readonly source: string
  /** `cri` lines carry the runtime's time and stream; `lines` are bare. */
  readonly format: 'cri' | 'lines'
  /** How bare or CRI content is read: auto = JSON, else text; logfmt and klog lines are turned into fields; text is never looked into. */
  readonly content: 'auto' | 'json' | 'logfmt' | 'klog' | 'text'
  /** A line that matches begins a new record; the ones that follow join it. */
  readonly multiline?: { readonly start: string; readonly waitMs: number; readonly linesMax: number }
  /** Fields that the host or the operator states; they win over the record's own. */
  readonly trusted: Readonly<Partial<Record<TrustedField, string>>>
  /** Used where the record has no own value. */
  readonly fallback: {
    readonly service_name: string
    readonly log_type: LogType
    readonly log_level?: string
  }
  /** Allow-listed pod labels (or labels from a source's config). */
  readonly labels?: Readonly<Record<string, string>>
  /** Origins with the same key follow each other (a log and its rotations): a partial left open by one goes on in the next. */
  readonly joinKey?: string
  /** The file behind it; absent for pushed records. */
  readonly file?: { readonly key: string; readonly path: string; readonly identity: FileIdentity }
}
export type TrustedField = 'namespace' | 'pod_uid' | 'pod_name' | 'container_name' | 'node_name'

/** Bytes of complete lines from one origin. `bytes` is only valid during the call (it may be kernel memory). */
export interface SlabMessage {
  readonly type: 'slab'
  readonly origin: number
  /** Complete lines, each ending in \n, except where `cut` or `last` says otherwise. */
  readonly bytes: Uint8Array
  /** File offset of bytes[0]. */
  readonly offset: number
  /** File offset after this slab once it is in a frame (≥ offset + bytes.length when the rest of a too long line was skipped). */
  readonly endOffset: number
  /** The slab is one line that was longer than `line_bytes_max` and has been cut: its record is marked truncated. */
  readonly cut?: boolean
  /** The last bytes of a file that will not grow: an unfinished line counts as a record, open groups and partials end. */
  readonly last?: boolean
  /** The pushing client that waits until these records are durable; a `durable` message answers it. */
  readonly token?: number
  /** Identity with a longer head, when a file was short at first sight. */
  readonly identity?: FileIdentity
}

export type Message =
  // sources → parse
  | {
      readonly type: 'origin'
      readonly origin: Origin
      readonly carry?: readonly Carry[]
      /** It, or a later file of the log, was read before: what is open in the file read just now does not go on in it. */
      readonly detached?: true
    }
  | {
      readonly type: 'origin_closed'
      readonly origin: number /** read to its end for good */
      readonly done: boolean
      /** What is open in it goes on nowhere: the log's later files were read before. */
      readonly cutOff?: true
    }
  // the log's next file is known, but its turn has not come: what is open in the log goes on waiting
  | { readonly type: 'log_waits'; readonly joinKey: string }
  | SlabMessage
  // parse → enrich → sample: records in the scanner's table, which these three share
  | BatchMessage
  | { readonly type: 'reset_streams' }
  // ingest chain → sources
  | { readonly type: 'flow'; readonly open: boolean; readonly reason?: string }
  | { readonly type: 'durable'; readonly tokens: readonly number[] }
  // sources ↔ journal
  | { readonly type: 'positions_wanted'; readonly source: string; readonly replyTo: string }
  | { readonly type: 'positions'; readonly source: string; readonly positions: readonly Position[] }
  // sample ↔ journal
  | {
      readonly type: 'append'
      readonly slot: number
      readonly rawBytes: number
      readonly encodedBytes: number
      readonly epoch: number
    }
  | { readonly type: 'committed'; readonly frames: number; readonly epoch: number }
  | { readonly type: 'ingest_started'; readonly epoch: number }
  // sample → traffic: what every service had since the message before, about once a second
  | {
      readonly type: 'traffic'
      readonly elapsedMs: number
      readonly services: readonly ServiceCounts[]
    }
  // traffic ↔ control: this node's last second for the others, and the sum of all other live nodes' last second
  | { readonly type: 'traffic_local'; readonly services: readonly ServiceInfo[] }
  | { readonly type: 'traffic_peers'; readonly services: readonly ServiceInfo[] }
  // any → traffic: keep all that matches until then. Of an operator, who is answered, it is the new end of an equal one, also a nearer one
  | ({ readonly type: 'boost'; readonly ask?: number } & Boost)
  // traffic → supervisor
  | { readonly type: 'boost_answered'; readonly ask: number; readonly outcome: BoostOutcome }
  // traffic → supervisor, once a second
  | ({ readonly type: 'sampling_status' } & SamplingStatus)
  // writers ↔ journal
  | {
      readonly type: 'subscribe'
      readonly writer: string
      /** Of this life of the writer: what was meant for an earlier one is told by it. */
      readonly session: number
      readonly creditBytes: number
      readonly backfillBytesPerSecond: number
    }
  | FrameMessage
  | { readonly type: 'taken'; readonly writer: string; readonly session: number; readonly seq: number }
  | { readonly type: 'done'; readonly writer: string; readonly seqs: readonly number[] }
  | { readonly type: 'outage'; readonly writer: string }
  | { readonly type: 'recovered'; readonly writer: string }
  // parse → capture
  | PanicMessage
  // control → capture: an operator wants one now
  | {
      readonly type: 'capture'
      readonly id: number
      readonly namespace: string
      readonly pod: string
      readonly container?: string
    }
  // capture → control
  /** The capture's name, else why there is none. */
  | {
      readonly type: 'capture_answer'
      readonly id: number
      readonly name?: string
      readonly refused?: string
    }
  // kubernetes source ↔ capture: the source has the one watch of the node's pods
  | { readonly type: 'pods_wanted'; readonly replyTo: string }
  | {
      readonly type: 'pods'
      readonly pods: readonly PodFacts[]
      /** These are all: others are gone. */
      readonly all: boolean
    }
  | {
      readonly type: 'pod_events_wanted'
      readonly namespace: string
      readonly podUid: string
      readonly replyTo: string
    }
  | { readonly type: 'pod_events'; readonly podUid: string; readonly events: readonly PodEventText[] }
  // auditor ↔ journal
  /** The auditor is there (again), with room for so many frames in its queue; these seqs lie in it for their first check. */
  | { readonly type: 'audit_open'; readonly room: number; readonly waiting: readonly number[] }
  | { readonly type: 'audit_frames'; readonly frames: readonly AuditFrame[] }
  /** These are durable in the queue; it has room for so many more. */
  | { readonly type: 'audit_queued'; readonly seqs: readonly number[]; readonly room: number }
  /** Their first check is over: the journal need not hold them any longer. */
  | { readonly type: 'audited'; readonly seqs: readonly number[] }
  | { readonly type: 'frame_wanted'; readonly seq: number; readonly replyTo: string }
  /** Without `encoded`: the journal does not have it any more. */
  | { readonly type: 'frame_copy'; readonly seq: number; readonly encoded?: Uint8Array }
  // any → supervisor
  | StatusMessage
  | { readonly type: 'idle'; readonly actor: string; readonly idle: boolean }
  // supervisor → any
  | { readonly type: 'end_of_input' }
  | { readonly type: 'drain' }
  | { readonly type: 'tap'; readonly id: number; readonly filter: string; readonly limitPerSecond: number }
  | { readonly type: 'untap'; readonly id: number }
  | { readonly type: 'tapped'; readonly id: number; readonly ndjson: string }
  /** An operator's hold: sources stop until it is let go. */
  | { readonly type: 'hold'; readonly held: boolean }
  /** An operator's word on a writer's breaker. */
  | { readonly type: 'breaker'; readonly action: 'open' | 'close' | 'reset' }
  | ControlMessage

/** Between the control actor, which speaks to NATS, and the supervisor, which knows the node. */
export type ControlMessage =
  // control → supervisor
  | {
      readonly type: 'ctl'
      readonly id: number
      readonly envelope: ControlEnvelope
      readonly known?: string
    }
  | { readonly type: 'ctl_cancel'; readonly id: number }
  /** The sampling section that the cluster wants here, as JSON; undefined: none, the file's counts. */
  | {
      readonly type: 'settings_offered'
      readonly offer: number
      readonly sampling?: string
      readonly origin: SettingsOrigin
    }
  // supervisor → control
  | { readonly type: 'ctl_answer'; readonly id: number; readonly answer: ControlAnswer }
  | { readonly type: 'ctl_lines'; readonly id: number; readonly ndjson: string }
  | { readonly type: 'settings_answered'; readonly offer: number; readonly refused?: string }

/** Scanned records of one origin, as entries [from, to) of the scanner's record table. */
export interface BatchMessage {
  readonly type: 'batch'
  readonly origin: number
  readonly from: number
  readonly to: number
  /** Kernel address that corresponds to file offset `offset`: a record's end offset is offset + LINE_END − base. */
  readonly base: number
  readonly offset: number
  /** Position of the origin once all of the batch is in a frame or sampled out. */
  readonly endOffset: number
  /** What is open after any record of this batch. */
  readonly carry: readonly OpenCarry[]
  readonly token?: number
  readonly identity?: FileIdentity
  /** Kernel address of the rendered context; enrich fills it in. */
  readonly context?: number
}

/** One frame for a writer: from a slot (caught up) or as encoded bytes read back from disk. */
export interface FrameMessage {
  readonly type: 'frame'
  /** Of the subscription; a writer ignores a frame that was meant for an earlier life of it: its slot may be another frame's by now. */
  readonly session: number
  readonly seq: number
  readonly lane: 'live' | 'backfill'
  /** Slot number whose raw and encoded parts hold the frame; answer `taken` as soon as it has been copied. */
  readonly slot?: number
  /** Of the slot with this frame in it: another one when copying has ended means that something else was copied. */
  readonly generation?: number
  /** The encoded frame, when it comes from disk; then there is no slot and no `taken`. */
  readonly encoded?: Uint8Array
  readonly rawBytes: number
  readonly encodedBytes: number
  /** It may have been sent before, wholly or in part: after a crash, or by a writer that is gone. */
  readonly suspect?: true
}

/** A line of a container's stderr that a dying process writes. */
export interface PanicMessage {
  readonly type: 'panic'
  readonly language: PanicLanguage
  readonly namespace: string
  readonly podName: string
  readonly podUid: string
  readonly containerName: string
  /** The runtime's time of the line, ms since the epoch. */
  readonly atMs: number
}
export type PanicLanguage = 'go' | 'java' | 'python' | 'node' | 'rust'

/** What an actor says of itself, for readyz, status and top. */
export interface StatusMessage {
  readonly type: 'status'
  readonly actor: string
  readonly ready: boolean
  /** Why not ready, or what is degraded; names the thing and the way out. */
  readonly reason?: string
  readonly detail: Readonly<Record<string, string | number | boolean>>
}

export type MessageType = Message['type']
export type MessageOf<T extends MessageType> = Extract<Message, { type: T }>
