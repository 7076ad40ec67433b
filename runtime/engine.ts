// How the JavaScript engine is set for a node.
import { setFlagsFromString } from 'node:v8'

/** The version of V8 (that of Node 20) that counts a budget of bytecode; later ones count invocations, and have a cheap compiler between. */
const V8_WITH_BUDGET = '11.'
/** Bytes of bytecode that a function runs before the optimising compiler looks at it; V8's own is 67,584. */
const INTERRUPT_BUDGET = 1_000_000

/**
 * To be called before the first worker starts. The work per record is done in the kernel, which this does not touch; the JavaScript
 * around it runs per batch, and to optimise it as eagerly as V8 does cost a tenth of the CPU of a million records. What is truly hot
 * is still optimised, a little later.
 */
export function setEngine(): void {
  if (process.versions.v8.startsWith(V8_WITH_BUDGET))
    setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET}`)
}
