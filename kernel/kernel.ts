// A kernel: one WASM instance over a fixed piece of memory, with typed views of it and a bump allocator for set-up.
import { readFileSync } from 'node:fs'
import type { KernelExports } from './exports.js'
import { wasm, type WasmMemory, type WasmModule } from './webassembly.js'

export interface Kernel {
  /** initial = maximum: it never grows, so the views stay valid for ever. */
  readonly memory: WasmMemory
  readonly u8: Uint8Array
  readonly u32: Uint32Array
  readonly i32: Int32Array
  readonly f32: Float32Array
  readonly f64: Float64Array
  readonly view: DataView
  /**
   * Takes bytes above the module's own data, for set-up only (there is no free). Default alignment 16.
   * Throws an error with code `kernel.memory` when the memory is used up.
   */
  alloc(bytes: number, align?: number): number
  /** The raw exports. Pointers are byte addresses; a u32 result arrives signed: use `>>> 0`. */
  readonly fn: KernelExports
}

export interface KernelOptions {
  /** Size of the whole memory, rounded up to 64 KiB. The module's own tables take about 4 MiB of it. */
  readonly memoryBytes: number
}

const PAGE_BYTES = 65536
/** Every kernel routine may read (not write) this far past the end of what it was given. */
export const READ_SLACK_BYTES = 64

let compiled: WasmModule | undefined

/** `kernel.wasm`, which lies next to this compiled file; compiled once per thread, or by the thread that handed it over. */
export function kernelModule(): WasmModule {
  compiled ??= new wasm.Module(readFileSync(new URL('./kernel.wasm', import.meta.url)))
  return compiled
}

/** From now on this thread's kernels are instances of a module that another thread has compiled. */
export function takeKernelModule(module: WasmModule): void {
  compiled = module
}

function memoryError(bytes: number, free: number): Error {
  const text = `kernel memory: ${bytes} bytes wanted, ${free} free; give createKernel a larger memoryBytes`
  return Object.assign(new Error(text), { code: 'kernel.memory' })
}

/** Instantiates kernelModule(). */
export function createKernel(options: KernelOptions): Kernel {
  const pages = Math.ceil(options.memoryBytes / PAGE_BYTES)
  const memory = new wasm.Memory({ initial: pages, maximum: pages })
  const abort = (_text: number, _file: number, line: number, column: number): never => {
    throw Object.assign(new Error(`kernel aborted at ${line}:${column}`), { code: 'kernel.abort' })
  }
  const instance = new wasm.Instance(kernelModule(), { env: { memory, abort } })
  const fn = instance.exports as KernelExports
  const buffer = memory.buffer
  const end = buffer.byteLength - READ_SLACK_BYTES
  let next = fn.heapBase()
  return {
    memory,
    u8: new Uint8Array(buffer),
    u32: new Uint32Array(buffer),
    i32: new Int32Array(buffer),
    f32: new Float32Array(buffer),
    f64: new Float64Array(buffer),
    view: new DataView(buffer),
    alloc(bytes, align = 16) {
      const at = Math.ceil(next / align) * align
      if (at + bytes > end) throw memoryError(bytes, Math.max(0, end - at))
      next = at + bytes
      return at
    },
    fn,
  }
}
