/** Gives the viewer a file that was made here. */
export function saveFile(name: string, type: string, content: BlobPart): void {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser has read the address by the next turn; until then it must stay.
  setTimeout(() => URL.revokeObjectURL(address), 0);
}
