// The kernel's exports: what JavaScript may call. Only re-exports.
export * from './codec'
export { emit, emitCount, emitOut, frameBegin } from './emit'
export { frameMaxTs, frameMinTs, frameStreamCount, frameStreamsPtr } from './frame-index'
export { internCount, internLen, internPtr, internReset } from './intern'
export { judge, judgeNext, judgeNow, judgeSeed } from './judge'
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
  streamCount,
  streamsReset,
} from './streams'
