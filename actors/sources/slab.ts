// The slab: the one piece of memory into which every source of a thread reads its lines.
import type { RecordsOptions } from '../../protocol/config/node.js'
import type { ActorContext } from '../../runtime/actor.js'

/** Room for many lines beside one of the longest. */
export const SLAB_BYTES = 512 * 1024

/** The thread's slab. Kernel memory when the ingest chain has registered it, else memory of its own. */
export function slabOf(context: ActorContext, records: RecordsOptions): Uint8Array {
  return context.local('slab', () => new Uint8Array(SLAB_BYTES + records.line_bytes_max))
}

/** A number for a new origin, unique among all sources of the thread. */
export function nextOriginId(context: ActorContext): number {
  return context.local('originIds', () => ({ next: 1 })).next++
}
