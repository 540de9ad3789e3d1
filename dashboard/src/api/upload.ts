import type { Schemas } from "@/api/client";
import { ApiFailure } from "@/api/errors";
import { CSRF_HEADER } from "@/api/session";

export interface UploadProgress {
  sentBytes: number;
  totalBytes: number;
  bytesPerSecond: number;
}

/** Sends a bundle. `fetch` tells nothing of the progress of a body, so this is the older interface. */
export function uploadBundle(
  file: File,
  idempotencyKey: string,
  signal: AbortSignal,
  onProgress: (progress: UploadProgress) => void,
): Promise<Schemas["UploadedBundle"]> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/v1/bundles");
    request.setRequestHeader("Idempotency-Key", idempotencyKey);
    request.setRequestHeader(CSRF_HEADER, "1");
    const began = performance.now();
    request.upload.addEventListener("progress", (event) => {
      const seconds = Math.max((performance.now() - began) / 1000, 0.05);
      onProgress({ sentBytes: event.loaded, totalBytes: event.total, bytesPerSecond: event.loaded / seconds });
    });
    request.addEventListener("load", () => {
      if (request.status === 201) resolve(JSON.parse(request.responseText) as Schemas["UploadedBundle"]);
      else reject(failureOfText(request));
    });
    request.addEventListener("error", () => reject(ApiFailure.unreachable(null)));
    request.addEventListener("abort", () => reject(signal.reason));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}

function failureOfText(request: XMLHttpRequest): ApiFailure {
  try {
    const problem = JSON.parse(request.responseText) as Schemas["Problem"];
    return new ApiFailure(request.status, problem.code, problem.detail, problem.request_id);
  } catch {
    return new ApiFailure(request.status, "unknown", request.statusText, request.getResponseHeader("x-request-id"));
  }
}
