// The actor `auditor`.
import type { Actor } from '../../runtime/actor.js'
export function auditor(): Actor { return { on: {} } }
