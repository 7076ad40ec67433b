// The dead letters of all nodes in NATS, for commands: a connection of their own.
import type { LetterStream } from '../actors/letters/letter-stream.js'
import type { Config } from '../protocol/config/schema.js'

export interface SharedLetters {
  readonly letters: LetterStream
  close(): Promise<void>
}

/** Undefined where there is no NATS. Rejects with `nats.*` where it is away. */
export async function openSharedLetters({ nats, node }: Config): Promise<SharedLetters | undefined> {
  if (nats === undefined) return undefined
  const { connectNats } = await import('../runtime/nats/connection.js')
  const { openLetterStream } = await import('../actors/letters/letter-stream.js')
  const connection = await connectNats(nats, `millrace command ${node.cluster_id}/${node.id}`)
  try {
    return {
      letters: await openLetterStream(connection, node.cluster_id),
      close: () => connection.close(),
    }
  } catch (error) {
    await connection.close()
    throw error
  }
}
