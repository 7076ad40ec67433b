// Checks of the buffer and the role: what a node of each role must have, and what it can't use.
import type { Config } from '../../protocol/config/schema.js'

interface Finding {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

const DUPLICATES_MS = 120_000

export function bufferFindings({ node, buffer, nats, backends, sources }: Config): Finding[] {
  const found: Finding[] = []
  const add = (path: readonly string[], message: string) =>
    found.push({ path, message: `${path.join('.')}: ${message}` })
  const keptMs = nats?.streams.dead_letters_age_max ?? 0
  if (keptMs > 0 && keptMs < DUPLICATES_MS)
    add(['nats', 'streams', 'dead_letters_age_max'], 'expected at least 2m, or 0s for no limit')
  if (buffer.mode === 'local') {
    if (node.role !== 'all')
      add(
        ['node', 'role'],
        `${node.role} hands frames over through JetStream; add buffer: { mode: jetstream }, or leave the role out`,
      )
    return found
  }
  if (nats === undefined)
    add(
      ['buffer', 'mode'],
      'jetstream needs the section nats; add nats: { servers: [nats://127.0.0.1:4222] }',
    )
  else if (nats.streams.logs_age_max > 0 && nats.streams.logs_age_max < DUPLICATES_MS)
    add(['nats', 'streams', 'logs_age_max'], 'expected at least 2m, or 0s for no limit')
  if (node.role === 'writer' && Object.keys(sources).length > 0)
    add(
      ['sources'],
      'a node with the role writer reads none; remove them, or leave node.role out for a node that does both',
    )
  if (node.role === 'agent' && bufferBackends({ buffer, backends }).length === 0)
    add(
      ['buffer', 'backends'],
      'nothing says which backends the writers have, and what is published before each of them has a consumer would be lost; add for example backends: [es, loki]',
    )
  return found
}

/** Every backend that has a consumer. */
export function bufferBackends({ buffer, backends }: Pick<Config, 'buffer' | 'backends'>): string[] {
  return [...new Set([...Object.keys(backends), ...buffer.backends])]
}
