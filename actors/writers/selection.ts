// Takes records out of encoded batches before they are sent: repairs and replays send only what is wanted of a frame.
import type { Kernel } from '../../kernel/kernel.js'
import type { BackendOptions } from '../../protocol/config/backends.js'
import type { BulkBatch } from './elasticsearch/bulk.js'
import { batchOf, itemsOf } from './elasticsearch/items.js'
import { blocksBytes, createBlocks } from './loki/blocks.js'
import { createDivider } from './loki/divide.js'
import type { PushBatch } from './loki/encoder.js'
import type { Batch } from './writer.js'

export interface Selection {
  /** The batch itself when all of it is wanted; a smaller one in memory of its own; undefined when nothing is left. */
  choose(batch: Batch, isWanted: (seq: number, n: number) => boolean): Batch | undefined
}

export function selectionBytes(options: BackendOptions): number {
  return options.type === 'loki' ? blocksBytes() : 0
}

export function createSelection(kernel: Kernel, options: BackendOptions): Selection {
  if (options.type === 'elasticsearch') {
    return {
      choose(batch, isWanted) {
        const bulk = batch as BulkBatch
        const items = itemsOf(bulk)
        const chosen = items.filter(({ seq, n }) => isWanted(seq, n))
        if (chosen.length === items.length) return batch
        return chosen.length === 0 ? undefined : batchOf(chosen, bulk, bulk.stage)
      },
    }
  }
  if (options.type === 'archive') return { choose: (batch) => batch }
  const divider = createDivider(createBlocks(kernel))
  return {
    choose(batch, isWanted) {
      const push = batch as PushBatch
      const entries = divider.entriesOf(push)
      const chosen = entries.filter(({ frame, n }) => isWanted(push.frames.get(frame) ?? -1, n))
      if (chosen.length === entries.length) return batch
      // In doubt: what Loki has of them already is found before they are sent.
      return chosen.length === 0 ? undefined : divider.batchOf(chosen, push)
    },
  }
}
