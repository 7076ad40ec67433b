// What the journal's storage tells its owner: corrupt places, failed system calls, commits. The owner counts, logs and reports.

/** torn_tail: the last commit was cut by a crash; frame: frames are unreadable; envelope: repaired in reading; the others by name. */
export type CorruptKind =
  | 'torn_tail'
  | 'frame'
  | 'envelope'
  | 'segment_header'
  | 'positions'
  | 'cursor'
  | 'missing'

export interface CorruptPlace {
  readonly kind: CorruptKind
  readonly path: string
  readonly offset: number
  readonly bytes: number
  /** Frames that are lost; 0 where nothing that was committed is. */
  readonly frames: number
  /** Of the first lost frame, where it is known. */
  readonly fromSeq?: number
  /** Records of the first lost frame, where its header is readable. */
  readonly records?: number
  readonly id?: string
}

export interface WalFault {
  /** ENOSPC, EIO, … or "unknown". */
  readonly code: string
  readonly message: string
  /** What is tried again in how many ms; undefined when it is left as it is. */
  readonly retryInMs?: number
}

export interface WalObserver {
  corrupt(place: CorruptPlace): void
  fault(fault: WalFault): void
  /** Writing works again after a fault. */
  healed(): void
  committed(bytes: number, ms: number): void
}

export const SILENT_OBSERVER: WalObserver = {
  corrupt: () => undefined,
  fault: () => undefined,
  healed: () => undefined,
  committed: () => undefined,
}
