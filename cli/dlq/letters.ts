// The dead letters that a command is about: those of this node's folder, and those of all nodes in the stream.
import { existsSync } from 'node:fs'
import type { LetterStream } from '../../actors/letters/letter-stream.js'
import type { Config } from '../../protocol/config/schema.js'
import { systemClock } from '../../runtime/clock.js'
import type { DeadLetter } from '../../runtime/dead-letters.js'
import { withLetterLock } from '../../runtime/letter-lock.js'
import { lettersFolder } from '../../runtime/dead-letters.js'
import {
  letterFigures,
  letterId,
  readLetters,
  removeLetters,
  strangersOf,
} from '../../runtime/letter-store.js'
import { openSharedLetters } from '../shared-letters.js'
import { type LetterFilter, letterMatcher } from './filter.js'
import { saidOf } from '../../protocol/errors.js'

export interface FoundLetter {
  readonly letter: DeadLetter
  /** Beneath the folder of the dead letters; undefined: it is in the stream. */
  readonly folder: string | undefined
  readonly node: string
}

/** What is needed to take one out: there may be a million of them. */
export interface LetterPlace {
  readonly letter: Pick<DeadLetter, 'backend' | 'frame' | 'n'>
  readonly folder: string | undefined
}

export interface Letters {
  /** Those of the folder first. One of the stream comes once, and not when the folder has it too. */
  chosen(filter: LetterFilter): AsyncGenerator<FoundLetter>
  /** From the folder and from the stream: a letter may have gone from one to the other meanwhile. */
  remove(letters: readonly LetterPlace[]): Promise<void>
  figures(): Promise<Record<string, { letters: number; bytes: number }>>
  /** In the folder, named like a file of letters, and none. */
  strangers(): Promise<readonly string[]>
  /** Why the stream is not looked into although it is asked for; undefined: it is, or is not asked for. */
  readonly away: string | undefined
  close(): Promise<void>
}

export interface LettersFrom {
  /** Default: both. */
  readonly from?: 'folder' | 'stream'
}

const LOCK_WAIT_MS = 30_000

/** Does not throw where NATS is away: `away` says why. */
export async function openLetters(config: Config, { from }: LettersFrom): Promise<Letters> {
  const root = lettersFolder(config.node.data_dir)
  const { shared, away, close } =
    from === 'folder' ? { shared: undefined, away: undefined, close: undefined } : await openShared(config)
  return {
    away,
    async *chosen(filter) {
      const matches = letterMatcher(filter, systemClock.now())
      const seen = new Set<string>()
      if (from !== 'stream' && (filter.node ?? config.node.id) === config.node.id)
        for await (const { letter, folder } of readLetters(root))
          if (matches(letter)) {
            isNew(seen, letter)
            yield { letter, folder, node: config.node.id }
          }
      if (shared === undefined) return
      const { node, backend } = filter
      const asked = { ...(node === undefined ? {} : { node }), ...(backend === undefined ? {} : { backend }) }
      for await (const found of shared.read(asked))
        if (matches(found.letter) && isNew(seen, found.letter)) yield { ...found, folder: undefined }
    },
    async remove(letters) {
      const here = letters.flatMap(({ letter, folder }) => (folder === undefined ? [] : [{ letter, folder }]))
      // The node waits meanwhile: what it has in its hands must not come into the stream after this.
      const lock = { root, clock: systemClock, epoch: 0, waitMs: LOCK_WAIT_MS }
      const all = async () => {
        if (here.length > 0) await removeLetters(root, here)
        await shared?.remove(letters.map(({ letter }) => letter))
      }
      await (existsSync(root) ? withLetterLock(lock, all) : all())
    },
    async figures() {
      const figures = from === 'stream' ? {} : Object.fromEntries(await letterFigures(root))
      const inStream = await shared?.figures()
      return inStream === undefined ? figures : { ...figures, 'the stream': inStream }
    },
    strangers: async () => (from === 'stream' ? [] : strangersOf(root)),
    close: async () => await close?.(),
  }
}

function isNew(seen: Set<string>, letter: DeadLetter): boolean {
  const key = `${letter.backend} ${letterId(letter)}`
  if (seen.has(key)) return false
  seen.add(key)
  return true
}

async function openShared(config: Config): Promise<{
  readonly shared: LetterStream | undefined
  readonly away: string | undefined
  close?(): Promise<void>
}> {
  try {
    const opened = await openSharedLetters(config)
    return { shared: opened?.letters, away: undefined, close: async () => await opened?.close() }
  } catch (error) {
    return { shared: undefined, away: saidOf(error) }
  }
}
