// The files that are open now, by inode, and the logs they belong to.
import { inodeOf } from './identity.js'
import { release, type Chain, type TailFile } from './tail-file.js'
import type { FoundLog } from './found.js'

export interface OpenFiles {
  chain(log: FoundLog): Chain
  chains(): Iterable<Chain>
  at(inode: string): TailFile | undefined
  /** Descriptors held. */
  count(): number
  /** Another number after each file that came or went. */
  changes(): number
  add(file: TailFile): void
  /** Puts a log's files in the order in which they were written. */
  order(chain: Chain): void
  /** Closes the descriptor and forgets the file. */
  remove(file: TailFile): void
  clear(): void
}

export function createOpenFiles(): OpenFiles {
  const chains = new Map<string, Chain>()
  const byInode = new Map<string, TailFile>()
  let changes = 0
  function dropWhenEmpty(chain: Chain): void {
    const isEmpty = chain.files.length === 0 && chain.waiting === 0
    if (isEmpty && chains.get(chain.log.key) === chain) chains.delete(chain.log.key)
  }
  return {
    chain(log) {
      const known = chains.get(log.key)
      if (known !== undefined) {
        known.log = log
        return known
      }
      const chain: Chain = {
        log,
        files: [],
        waiting: 0,
        barrier: Number.POSITIVE_INFINITY,
        torn: false,
        barredMs: undefined,
      }
      chains.set(log.key, chain)
      return chain
    },
    chains: () => chains.values(),
    at: (inode) => byInode.get(inode),
    count: () => byInode.size,
    changes: () => changes,
    add(file) {
      changes++
      if (file.fd >= 0) byInode.set(inodeOf(file), file)
      file.chain.files.push(file)
    },
    order(chain) {
      chain.files.sort((a, b) => a.order - b.order)
      dropWhenEmpty(chain)
    },
    remove(file) {
      changes++
      release(file)
      if (byInode.get(inodeOf(file)) === file) byInode.delete(inodeOf(file))
      const { files } = file.chain
      files.splice(files.indexOf(file), 1)
      dropWhenEmpty(file.chain)
    },
    clear() {
      for (const chain of chains.values()) for (const file of chain.files) release(file)
      chains.clear()
      byInode.clear()
    },
  }
}
