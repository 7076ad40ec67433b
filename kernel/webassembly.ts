// The part of the WebAssembly JavaScript interface that the kernel uses, typed: neither the es2023 library nor @types/node 20 declares it.

export interface WasmMemory {
  readonly buffer: ArrayBuffer
}

/** A compiled module: opaque. */
export type WasmModule = object

interface WasmInterface {
  readonly Module: new (bytes: Uint8Array) => WasmModule
  readonly Memory: new (descriptor: { initial: number; maximum: number }) => WasmMemory
  readonly Instance: new (
    module: WasmModule,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => { readonly exports: unknown }
}

export const wasm = (globalThis as unknown as { readonly WebAssembly: WasmInterface }).WebAssembly
