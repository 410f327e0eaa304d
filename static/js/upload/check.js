/** What can be told about a file before it is sent. The server has the last word. */

const SIGNATURES = [
  [0, [0x89, 0x50, 0x4e, 0x47]], // PNG
  [0, [0xff, 0xd8, 0xff]], // JPEG
  [0, [0x49, 0x49, 0x2a, 0x00]], // TIFF, little-endian
  [0, [0x4d, 0x4d, 0x00, 0x2a]], // TIFF, big-endian
  [0, [0x49, 0x49, 0x2b, 0x00]], // BigTIFF
  [0, [0x4d, 0x4d, 0x00, 0x2b]],
  [8, [0x57, 0x45, 0x42, 0x50]], // WebP, after RIFF and a length
  [128, [0x44, 0x49, 0x43, 0x4d]], // DICOM, after its preamble
];
// DICOM without preamble has no signature: it starts with group 0002 or 0008.
const BARE_DICOM = [[0x02, 0x00], [0x08, 0x00]];

function startsWith(bytes, offset, signature) {
  return signature.every((byte, i) => bytes[offset + i] === byte);
}

/** Returns the name of what is wrong ("empty", "tooLarge", "type"), or null. */
export async function checkFile(file, maxBytes) {
  if (file.size === 0) return "empty";
  if (file.size > maxBytes) return "tooLarge";
  const bytes = new Uint8Array(await file.slice(0, 132).arrayBuffer());
  const known = SIGNATURES.some(([offset, signature]) => startsWith(bytes, offset, signature));
  const bare = BARE_DICOM.some((signature) => startsWith(bytes, 0, signature));
  return known || bare ? null : "type";
}
