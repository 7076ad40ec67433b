// The kernel's exports: what JavaScript may call. Only re-exports.
export * from './codec'
export { emit, emitCount, emitOut, frameBegin } from './emit'
export { fieldNested, fieldRoot, fieldsReset, fieldTextPtr } from './fields'
export { frameMaxTs, frameMinTs, frameStreamCount, frameStreamsPtr } from './frame-index'
export { internCount, internLen, internPtr, internReset } from './intern'
export { judge, judgeNext, judgeNow, judgeSeed } from './judge'
export { statusRatesPtr } from './judge-fields'
export { heapBase } from './memory'
export { scanLines, scanResume, scanRunsUsed, scanSpans } from './scan'
export {
  keptBytesPtr,
  keptPtr,
  missClear,
  missCount,
  missPtr,
  ratesPtr,
  seenBytesPtr,
  seenPtr,
  servicesPtr,
  streamCount,
  streamsReset,
} from './streams'
export {
  windowClear,
  windowsBegin,
  windowsBytes,
  windowSlotBytes,
  windowsTouched,
  windowsTouchedPtr,
} from './windows'
