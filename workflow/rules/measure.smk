rule measure:
    input:
        slide=result("slide.zarr"),
        quality=ancient(result("quality.zarr")),
        labels=result("labels.zarr"),
        correct=correction_files,
        panel=ancient(panel),
    output:
        measurements=result("measurements.parquet"),
        contacts=result("contacts.parquet"),
    log:
        result("logs/measure.log"),
    benchmark:
        result("logs/measure.tsv")
    conda:
        "../../envs/mifprofile.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000, tile_px=2048, bytes_per_value=20),
    params:
        config=CONFIG,
        out=folder,
        panel=panel_part("markers"),
        section=section("measure"),
    shell:
        "mifprofile measure -o {params.out:q} --panel {input.panel:q} "
        "--config {params.config:q} > {log:q} 2>&1"
