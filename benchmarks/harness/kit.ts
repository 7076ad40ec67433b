// What a benchmark is given: a temporary folder and sinks, which are gone when it ends, also when it fails on the way.
import { createScratch, type Scratch } from './scratch.js'
import { type Sinks, startSinks } from './sinks.js'

export interface Kit {
  readonly scratch: Scratch
  /** Two acknowledging backends in a process of their own; the same at each call. */
  sinks(): Promise<Sinks>
  /** What ends something that the rounds share; run when the benchmark ends, the last one first. */
  later(end: () => unknown): void
  /** Progress, a line each. */
  say(line: string): void
  /** Aborted when the user wants no more: what has been measured is then reported. */
  readonly stop: AbortSignal
}

export interface OwnedKit extends Kit {
  close(): Promise<void>
}

export function createKit(say: (line: string) => void, stop: AbortSignal): OwnedKit {
  const scratch = createScratch()
  const ends: (() => unknown)[] = []
  let sinks: Promise<Sinks> | undefined
  return {
    scratch,
    sinks: () => (sinks ??= startSinks()),
    later: (end) => void ends.push(end),
    say,
    stop,
    async close() {
      for (const end of ends.splice(0).toReversed()) await end()
      scratch.remove()
      // Sinks that did not start have been told of where they were asked for.
      await sinks?.then(
        (started) => started.close(),
        () => undefined,
      )
    },
  }
}
