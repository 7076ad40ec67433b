// What the processes of bench fleet say to each other, and the clock that they share.

/** A process's part of the fleet. */
export interface FleetShare {
  readonly url: string
  readonly first: number
  readonly count: number
  /** Of the whole fleet. */
  readonly nodes: number
  readonly services: number
}

export type FleetOrder =
  | ({ readonly type: 'start' } & FleetShare)
  /** What is there of this revision, although it is not complete. */
  | { readonly type: 'give'; readonly revision: number }
  /** Tells how it went since the last look. */
  | { readonly type: 'look' }

export type FleetWord =
  /** All nodes of the process follow the settings, or one does no more. */
  | { readonly type: 'following'; readonly nodes: number; readonly atMs: number }
  /** When each node had the revision, ms. */
  | { readonly type: 'arrived'; readonly revision: number; readonly atMs: readonly number[] }
  | { readonly type: 'echoed'; readonly number: number; readonly atMs: number }
  | FleetLook

export interface FleetLook {
  readonly type: 'looked'
  readonly cpuMs: number
  /** Nodes that know what the others see. */
  readonly informed: number
  /** How late the process's event loop was, ms: as late as this is what it measures. */
  readonly lateP99Ms: number
  readonly lateMostMs: number
}

export const ECHO_SUBJECT = 'bench.echo'

/** ms of CLOCK_MONOTONIC, the same in all processes of a machine. */
export const machineMs = (): number => Number(process.hrtime.bigint()) / 1e6
