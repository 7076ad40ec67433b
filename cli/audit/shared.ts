// Where the audit's tasks of a node go, as the running node says: the queue of all nodes, or its own folder.
import type { NodeStatus } from '../../protocol/status.js'
import type { Config } from '../../protocol/config/schema.js'
import { askSocket } from '../../runtime/control/socket-client.js'
import { caller } from '../ctl/options.js'

export interface SharedState {
  /** Undefined: the node does not run, so nobody can tell. */
  readonly connected: boolean | undefined
  /** Tasks in the queue of all nodes. */
  readonly waiting: number
  /** Why not. */
  readonly reason?: string
}

const ANSWER_MS = 3000

/** Undefined where there is no NATS. */
export async function sharedState({ nats, node }: Config): Promise<SharedState | undefined> {
  if (nats === undefined) return undefined
  const envelope = { verb: 'status', args: {}, by: caller() } as const
  // A node that does not run is no error: the rest of the status lies on disk.
  const answer = await askSocket(node.data_dir, envelope, { timeoutMs: ANSWER_MS }).catch(() => undefined)
  if (answer === undefined || !answer.ok) return { connected: undefined, waiting: 0 }
  const { detail, reason } = (answer.result as NodeStatus).actors['auditor'] ?? {}
  const connected = detail?.['shared'] === true
  const why = connected || reason === undefined ? {} : { reason }
  return { connected, waiting: Number(detail?.['sharedWaiting'] ?? 0), ...why }
}

export function sharedText(shared: SharedState): string {
  if (shared.connected === undefined) return 'shared over NATS while the node runs; it does not'
  if (shared.connected)
    return `shared with other nodes over NATS: ${shared.waiting} tasks in the queue of all nodes`
  return `NOT shared with other nodes now, tasks go to this node's own folder${shared.reason === undefined ? '' : `: ${shared.reason}`}`
}
