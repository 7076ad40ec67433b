// An audit by hand where frames go through JetStream: none is asked for before the writers have acknowledged all that was there.
import { hasPassed } from '../../actors/auditor/passage.js'
import type { Config } from '../../protocol/config/schema.js'
import { MillraceError } from '../../protocol/errors.js'
import { LOGS_STREAM } from '../../protocol/subjects.js'
import { sleep, systemClock } from '../../runtime/clock.js'

const WAIT_MS = 60_000
const LOOK_MS = 500

/** What is on its way would look like what is missing, and its repair like a copy. Rejects with `audit.on_their_way`. */
export async function demandArrived(
  { nats, node }: Pick<Config, 'nats' | 'node'>,
  signal: AbortSignal,
): Promise<void> {
  if (nats === undefined) return
  const { connectNats } = await import('../../runtime/nats/connection.js')
  const { openStreams, streamInfo } = await import('../../runtime/nats/streams.js')
  const connection = await connectNats(nats, `millrace audit ${node.cluster_id}/${node.id}`)
  try {
    const manager = await openStreams(connection)
    let upTo: number | undefined
    for (let waitedMs = 0; !signal.aborted; waitedMs += LOOK_MS) {
      const state = (await streamInfo(manager, LOGS_STREAM))?.state
      upTo ??= state?.last_seq ?? 0
      if (state === undefined || hasPassed(upTo, state)) return
      if (waitedMs >= WAIT_MS) {
        const text = `frames wait in ${LOGS_STREAM} from ${state.first_seq} on: a writer is behind or a backend is away, and what is on its way can not be told from what is missing; try again when \`millrace ctl streams\` shows less`
        throw new MillraceError('audit.on_their_way', text)
      }
      await sleep(systemClock, LOOK_MS, signal)
    }
  } finally {
    await connection.close()
  }
}
