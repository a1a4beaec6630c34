// Small pictures of files that are still on this side, one at a time and decoded off the page's own thread.

const SIDE = 480;
let last = Promise.resolve();

// An address for a small picture of `file`; null when this browser can't read such a file.
export function thumbOf(file) {
  last = last.then(() => draw(file), () => draw(file));
  return last;
}

async function draw(file) {
  try {
    const whole = await createImageBitmap(file);
    const scale = Math.min(1, SIDE / Math.max(whole.width, whole.height));
    const canvas = new OffscreenCanvas(Math.max(1, whole.width * scale), Math.max(1, whole.height * scale));
    canvas.getContext("2d").drawImage(whole, 0, 0, canvas.width, canvas.height);
    whole.close();
    return URL.createObjectURL(await canvas.convertToBlob({ type: "image/webp", quality: 0.85 }));
  } catch {
    return null;
  }
}
