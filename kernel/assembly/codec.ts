// The codecs' exports, gathered for index.ts.
export { bulkAppend, bulkOut } from './bulk'
export { crc32c } from './crc32c'
export { frameCheck } from './frame-check'
export { lokiEntries, lokiOut, lokiStream } from './loki'
export { lokiGroup } from './loki-group'
export { snappyBegin, snappyCompress, snappyMaxLen, snappyPart, snappyTableBytes } from './snappy-compress'
export { snappyDecompress } from './snappy-decompress'
