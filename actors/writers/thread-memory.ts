// What the writers of one thread share: a kernel, and the frames that lie in its memory, each copied out of its slot once for all of them.
import { createKernel, type Kernel } from '../../kernel/kernel.js'
import type { BackendOptions } from '../../protocol/config/backends.js'
import type { ActorContext } from '../../runtime/actor.js'
import { frameCodecBytes } from '../../runtime/frame-codec.js'
import { copyPlain } from '../../runtime/frame-regions.js'
import { kernelBytesOf } from './backends.js'

export interface ThreadMemory {
  readonly kernel: Kernel
  /**
   * A frame's raw body in kernel memory, copied there unless another writer has done so; it stays until it was released as often as held.
   * Undefined when all regions hold frames that somebody still needs: the caller then copies for itself.
   */
  hold(seq: number, raw: Uint8Array): HeldFrame | undefined
}

export interface HeldFrame {
  readonly rawPtr: number
  release(): void
}

interface Region {
  readonly rawPtr: number
  seq: number
  holders: number
}

/** The module's own data, and its rounding. */
const KERNEL_OWN_BYTES = 5 * 1024 * 1024
/** Only regions that were used are resident. */
const REGIONS = 8
const NO_FRAME = -1

/** Made once per thread, on first use; `writers` are the options of all writers of the thread. */
export function threadMemory(context: ActorContext, writers: readonly BackendOptions[]): ThreadMemory {
  return context.local('writers-memory', () => {
    const regionBytes = context.slots.options.rawBytesMax + 64
    const own = writers.reduce((bytes, options) => bytes + frameCodecBytes() + kernelBytesOf(options), 0)
    const kernel = createKernel({ memoryBytes: KERNEL_OWN_BYTES + own + REGIONS * regionBytes })
    return { kernel, hold: createFrameRegions(kernel, regionBytes) }
  })
}

function createFrameRegions(kernel: Kernel, regionBytes: number): ThreadMemory['hold'] {
  const regions: Region[] = Array.from({ length: REGIONS }, () => ({
    rawPtr: kernel.alloc(regionBytes, 64),
    seq: NO_FRAME,
    holders: 0,
  }))
  let turn = 0

  /** In turn, so that a frame which is free already still lies there when the next writer asks for it. */
  function freeRegion(): Region | undefined {
    for (let n = 0; n < REGIONS; n++) {
      const region = regions[(turn + n) % REGIONS]
      if (region === undefined || region.holders > 0) continue
      turn = (turn + n + 1) % REGIONS
      return region
    }
    return undefined
  }

  return (seq, raw) => {
    let region = regions.find((each) => each.seq === seq)
    if (region === undefined) {
      region = freeRegion()
      if (region === undefined) return undefined
      copyPlain(kernel.u8.subarray(region.rawPtr, region.rawPtr + raw.length), raw)
      region.seq = seq
    }
    const held = region
    held.holders++
    return { rawPtr: held.rawPtr, release: () => void held.holders-- }
  }
}
