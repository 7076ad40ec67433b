// Removes pieces of frames that nobody needs: left by a writer that died between its acknowledgement and their removal, or by an agent.
import type { JetStreamManager } from '@nats-io/jetstream'
import { LOGS_STREAM, PARTS_STREAM, partsOfBackend } from '../../protocol/subjects.js'
import type { Clock } from '../../runtime/clock.js'

export interface Sweep {
  stop(): void
}

/** Far longer than an agent takes from a frame's first piece to the note of where they are; a try that fails begins with the pieces. */
const EVERY_MS = 600_000

/** When the backend's consumer has nothing left, no piece that was there a turn ago belongs to anything. */
export function createSweep(
  manager: JetStreamManager,
  backend: string,
  clock: Clock,
  failed: (error: unknown) => void,
): Sweep {
  let before = 0

  async function sweep(): Promise<void> {
    const { state } = await manager.streams.info(PARTS_STREAM)
    const upTo = before
    before = state.last_seq
    if (state.messages === 0 || upTo === 0) return
    const { num_pending, num_ack_pending } = await manager.consumers.info(LOGS_STREAM, backend)
    if (num_pending > 0 || num_ack_pending > 0) return
    await manager.streams.purge(PARTS_STREAM, { filter: partsOfBackend(backend), seq: upTo + 1 })
  }

  const cancel = clock.every(EVERY_MS, () => void sweep().catch(failed))
  return { stop: cancel }
}
